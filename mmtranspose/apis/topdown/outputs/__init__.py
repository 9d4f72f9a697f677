"""What is made of the pipeline's results: pictures, videos, JSON, pages, a window."""

from mmtranspose.apis.topdown.outputs.explained import explain_options, explained_joint
from mmtranspose.apis.topdown.outputs.names import input_files, require_no_overwriting
from mmtranspose.apis.topdown.outputs.predictions import PredictionFiles
from mmtranspose.apis.topdown.outputs.progress import Progress
from mmtranspose.apis.topdown.outputs.result_drawer import ResultDrawer
from mmtranspose.apis.topdown.outputs.results_folder import ResultsFolder
from mmtranspose.apis.topdown.outputs.run import put_out
from mmtranspose.apis.topdown.outputs.window import Window, require_window

__all__ = [
    'PredictionFiles',
    'Progress',
    'ResultDrawer',
    'ResultsFolder',
    'Window',
    'explain_options',
    'explained_joint',
    'input_files',
    'put_out',
    'require_no_overwriting',
    'require_window',
]
