"""Moved to ``mmtranspose.results`` and ``mmtranspose.files``; this path goes with the next release."""

from mmtranspose.files.json_files import to_json, write_json
from mmtranspose.files.output_paths import require_output_file, require_writable
from mmtranspose.results.prediction_files import coco_results, instances_of, meta_info, results_dict

__all__ = [
    'coco_results',
    'instances_of',
    'meta_info',
    'require_output_file',
    'require_writable',
    'results_dict',
    'to_json',
    'write_json',
]
