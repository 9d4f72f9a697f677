"""The demo: a small model, and a detector, trained on drawn people."""
