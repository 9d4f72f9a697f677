"""The modes of the benchmark: the work that is measured, one file for each."""
