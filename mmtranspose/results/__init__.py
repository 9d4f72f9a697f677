"""Write and show what the pipeline finds: images, videos, JSON, explanation pages, a window."""

from mmtranspose.results.low_scores import LowScores
from mmtranspose.results.output_files import input_files, require_no_overwriting, without_results
from mmtranspose.results.prediction_files import PredictionFiles
from mmtranspose.results.results_folder import ResultDrawer, ResultsFolder
from mmtranspose.results.window import Window, require_window
from mmtranspose.results.write_and_show import Progress, write_and_show

__all__ = [
    'LowScores',
    'PredictionFiles',
    'Progress',
    'ResultDrawer',
    'ResultsFolder',
    'Window',
    'input_files',
    'require_no_overwriting',
    'require_window',
    'without_results',
    'write_and_show',
]
