"""Data for training: synthetic people, LSPET, transforms of samples, batches. Other datasets come from MMPose."""
