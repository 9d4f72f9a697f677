"""Moved to ``mmtranspose.engine.runner_setup``; this path goes with the next release."""

from mmtranspose.engine.runner_setup import build_runner, runner_config, test_config, train_config

__all__ = ['build_runner', 'runner_config', 'test_config', 'train_config']
