"""Convolutions in the memory layout that processors like best."""

import torch
from mmengine.hooks import Hook
from mmpose.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Puts the model's weights into channels-last (NHWC) memory order before anything runs.

    Convolutions then compute, and hand on, channels-last maps. Shapes and results stay the same up to rounding.

    Args:
        enable (bool): False: leave the model as it is. (mmengine cannot take a default hook of ours out of a config.)
    """

    def __init__(self, enable: bool = True):
        self.enable = enable

    def before_run(self, runner) -> None:
        """Convert the runner's model in place."""
        if self.enable:
            runner.model.to(memory_format=torch.channels_last)
