"""Datasets that need no download: the synthetic people. Everything else comes from MMPose."""
