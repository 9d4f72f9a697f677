from mmtranspose.engine.hooks.channels_last_hook import ChannelsLastHook
from mmtranspose.engine.hooks.progress_bar_hook import ProgressBarHook

__all__ = ['ChannelsLastHook', 'ProgressBarHook']
