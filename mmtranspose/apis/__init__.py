"""What people import: models, inference, and what the command lines are made of."""

from mmtranspose.apis.inference import inference_topdown, init_model, load_bboxes
from mmtranspose.errors import InputError

__all__ = ['InputError', 'inference_topdown', 'init_model', 'load_bboxes']
