"""Store the model's weights in the memory layout in which processors convolve fastest."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch.nn.parallel import DistributedDataParallel

from mmtranspose.models.unwrapping import unwrapped


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
        """Convert the runner's model in place, and wrap it anew if it is wrapped for distributed training.

        PyTorch's ``DistributedDataParallel`` lays out its gradients as the weights are when it is made. If the layout
        changes afterwards, the gradients of its first step are wrong (seen with torch 2.11).
        """
        if not self.enable:
            return
        network = unwrapped(runner.model).to(memory_format=torch.channels_last)
        if isinstance(runner.model, DistributedDataParallel):
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), network)
