"""The functions and classes for Python programs: load models, estimate poses, make models faster, explain poses."""

from mmtranspose.acceleration import OpenVinoEncoder, accelerate, decelerate
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.deployment import export_model, load_exported
from mmtranspose.detection.detector_export import export_detector
from mmtranspose.errors import InputError, UnsupportedModelError
from mmtranspose.explain.explainer import explain_topdown
from mmtranspose.inference import TopdownPipeline
from mmtranspose.inference.pose_estimation import inference_topdown
from mmtranspose.loading.init_model import init_model

__all__ = [
    'InputError',
    'OpenVinoEncoder',
    'TopdownPipeline',
    'UnsupportedModelError',
    'accelerate',
    'decelerate',
    'explain_topdown',
    'export_detector',
    'export_model',
    'inference_topdown',
    'init_model',
    'load_bboxes',
    'load_exported',
]
