"""Moved to ``mmtranspose.loading`` and ``mmtranspose.files``; this path goes with the next release."""

from mmtranspose.dataset_check.before_run import check_data
from mmtranspose.dataset_check.detection_file import check_detections
from mmtranspose.files.coco_format import read_categories
from mmtranspose.files.json_files import read_json
from mmtranspose.loading.config import LOADERS, load_config, merge_options, move_data_root, require_model

__all__ = [
    'LOADERS',
    'check_data',
    'check_detections',
    'load_config',
    'merge_options',
    'move_data_root',
    'read_categories',
    'read_json',
    'require_model',
]
