"""Optimiser wrappers for mmengine's runner."""

from mmtranspose.engine.optim.bfloat16_optim_wrapper import Bfloat16OptimWrapper, supports_bfloat16

__all__ = ['Bfloat16OptimWrapper', 'supports_bfloat16']
