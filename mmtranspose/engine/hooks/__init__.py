"""Hooks for stock mmengine runners, registered in ``mmpose.registry.HOOKS``."""

from mmtranspose.engine.hooks.acceleration_hook import AccelerationHook
from mmtranspose.engine.hooks.channels_last_hook import ChannelsLastHook
from mmtranspose.engine.hooks.compile_hook import CompileHook
from mmtranspose.engine.hooks.deferred_runtime_info_hook import DeferredRuntimeInfoHook
from mmtranspose.engine.hooks.explanation_hook import ExplanationHook
from mmtranspose.engine.hooks.interval_visualization_hook import IntervalVisualizationHook
from mmtranspose.engine.hooks.reporting_hooks import ProgressBarHook, SaveMetricsHook
from mmtranspose.engine.hooks.resumable_checkpoint_hook import ResumableCheckpointHook

__all__ = [
    'AccelerationHook',
    'ChannelsLastHook',
    'CompileHook',
    'DeferredRuntimeInfoHook',
    'ExplanationHook',
    'IntervalVisualizationHook',
    'ProgressBarHook',
    'ResumableCheckpointHook',
    'SaveMetricsHook',
]
