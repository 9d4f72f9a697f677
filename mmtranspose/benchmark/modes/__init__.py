"""What can be benchmarked; one file a mode."""
