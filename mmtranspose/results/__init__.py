"""What is made of the pipeline's results: images, videos, JSON, pages, a window."""

from mmtranspose.results.explanation_files import explain_options, explained_keypoint
from mmtranspose.results.output_files import input_files, require_no_overwriting
from mmtranspose.results.prediction_files import PredictionFiles
from mmtranspose.results.results_folder import ResultDrawer, ResultsFolder
from mmtranspose.results.window import Window, require_window
from mmtranspose.results.writing import Progress, put_out

__all__ = [
    'PredictionFiles',
    'Progress',
    'ResultDrawer',
    'ResultsFolder',
    'Window',
    'explain_options',
    'explained_keypoint',
    'input_files',
    'put_out',
    'require_no_overwriting',
    'require_window',
]
