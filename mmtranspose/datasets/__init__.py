"""Data for training: synthetic people, transforms of samples, and batches. All other datasets come from MMPose."""
