from mmtranspose.engine.hooks.channels_last_hook import ChannelsLastHook
from mmtranspose.engine.hooks.explanation_hook import ExplanationHook
from mmtranspose.engine.hooks.progress_bar_hook import ProgressBarHook
from mmtranspose.engine.hooks.save_metrics_hook import SaveMetricsHook

__all__ = ['ChannelsLastHook', 'ExplanationHook', 'ProgressBarHook', 'SaveMetricsHook']
