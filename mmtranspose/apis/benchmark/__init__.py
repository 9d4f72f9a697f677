"""What is measured against the plain way of doing it."""

from mmtranspose.apis.benchmark.benchmark import MODES, run_benchmark
from mmtranspose.apis.benchmark.encoder import compare_encoders
from mmtranspose.apis.benchmark.explanation import compare_explanations
from mmtranspose.apis.benchmark.flops import count
from mmtranspose.apis.benchmark.settings import Settings

__all__ = ['MODES', 'Settings', 'compare_encoders', 'compare_explanations', 'count', 'run_benchmark']
