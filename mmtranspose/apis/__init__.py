"""What people import: models, inference, acceleration, explanation, and what the command lines are made of."""

from mmtranspose.acceleration import accelerate, decelerate
from mmtranspose.apis.boxes import load_bboxes
from mmtranspose.apis.explanation import explain_topdown
from mmtranspose.apis.inference import inference_topdown, init_model
from mmtranspose.apis.topdown import TopdownPipeline
from mmtranspose.errors import InputError

__all__ = [
    'InputError',
    'TopdownPipeline',
    'accelerate',
    'decelerate',
    'explain_topdown',
    'inference_topdown',
    'init_model',
    'load_bboxes',
]
