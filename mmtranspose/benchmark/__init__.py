"""What is measured against the plain way of doing it."""

from mmtranspose.benchmark.arithmetic import count
from mmtranspose.benchmark.modes.encoder import compare_encoders
from mmtranspose.benchmark.modes.explanation import compare_explanations
from mmtranspose.benchmark.run import MODES, run_benchmark
from mmtranspose.benchmark.settings import Settings

__all__ = ['MODES', 'Settings', 'compare_encoders', 'compare_explanations', 'count', 'run_benchmark']
