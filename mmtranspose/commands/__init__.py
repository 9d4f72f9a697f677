"""The commands of `mmtranspose`, one module each."""
