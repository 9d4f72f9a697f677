"""The demo: a small model and a person detector, trained on drawn people."""
