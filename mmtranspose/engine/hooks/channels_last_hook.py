"""Store the model's weights in the memory layout in which processors convolve fastest."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Puts the model's weights into channels-last (NHWC) memory order before a run.

    Convolutions then compute and return channels-last maps. Shapes and results stay the same up to rounding.

    Args:
        enable (bool): False leaves the model as it is. (A config that inherits this hook under ``default_hooks`` cannot
            remove it.)
    """

    def __init__(self, enable: bool = True):
        self.enable = enable

    def before_run(self, runner: Runner) -> None:
        """Convert the runner's model in place."""
        if self.enable:
            runner.model.to(memory_format=torch.channels_last)
