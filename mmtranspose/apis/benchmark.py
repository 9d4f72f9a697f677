"""Moved to ``mmtranspose.benchmark``; this path goes with the next release."""

from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings as Settings
from mmtranspose.benchmark.multiply_accumulates import count
from mmtranspose.benchmark.run import MODES, run_benchmark

__all__ = ['MODES', 'Settings', 'count', 'run_benchmark']
