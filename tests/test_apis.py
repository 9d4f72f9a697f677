"""The names that people import, and the import paths of the release before."""

from importlib import import_module

import pytest
import torch

from mmtranspose import apis
from mmtranspose.apis import checkpoint as old_checkpoint
from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint import Checkpoint

NAMES = {
    'InputError': 'errors',
    'OpenVinoEncoder': 'acceleration.openvino_encoder',
    'TopdownPipeline': 'inference.pipeline',
    'UnsupportedModelError': 'errors',
    'accelerate': 'acceleration.accelerating',
    'decelerate': 'acceleration.accelerating',
    'export_detector': 'detection.detector_export',
    'export_model': 'deployment.exporting',
    'explain_topdown': 'explain.explainer',
    'inference_topdown': 'inference.pose_estimation',
    'init_model': 'loading.init_model',
    'load_bboxes': 'crops.boxes',
    'load_exported': 'deployment.exported_estimator',
}
# Old module: new module: public names
MOVED = {
    'apis.app': {'app.explorer': ['Explorer'], 'app.session': ['Choice', 'Session', 'Settings']},
    'apis.benchmark': {
        'benchmark.multiply_accumulates': ['count'],
        'benchmark.run': ['MODES', 'run_benchmark'],
    },
    'apis.boxes': {
        'crops.boxes': ['box_problem', 'check_boxes', 'load_bboxes', 'parse_boxes', 'whole_image', 'with_scores'],
    },
    'apis.config': {
        'files.coco_format': ['read_categories'],
        'files.json_files': ['read_json'],
        'loading.config': ['LOADERS', 'load_config', 'merge_options', 'move_data_root', 'require_model'],
        'dataset_check.before_run': ['check_data'],
        'dataset_check.detection_file': ['check_detections'],
    },
    'apis.conversion': {'loading.conversion': ['conversion_error', 'convert_official', 'heatmaps_of', 'sha256']},
    'apis.dataset_check': {'dataset_check.check': ['check_dataset'], 'dataset_check.findings': ['Report']},
    'apis.dataset_explanation': {'dataset_explanation': ['DatasetExplanationSettings', 'explain_dataset']},
    'apis.detection': {
        'detection.dataset_detection': ['DatasetDetections', 'detect_dataset'],
        'detection.person_detector': ['PersonDetector'],
    },
    'apis.explanation': {'explain.explainer': ['explain_topdown', 'require_explainable']},
    'apis.inference': {'inference.pose_estimation': ['inference_topdown'], 'loading.init_model': ['init_model']},
    'apis.results': {
        'files.json_files': ['to_json', 'write_json'],
        'files.output_paths': ['require_output_file', 'require_writable'],
        'results.prediction_files': ['coco_results', 'instances_of', 'meta_info', 'results_dict'],
    },
    'apis.runner': {'engine.runner_setup': ['build_runner', 'runner_config', 'test_config', 'train_config']},
    'apis.topdown': {
        'inference.box_file': ['BoxFile'],
        'inference.pipeline': ['TopdownPipeline', 'TopdownResult'],
    },
    'zoo': {'loading.zoo': ['MIM', 'find_config', 'models', 'names_of', 'relative', 'summary']},
}


def module(name):
    return import_module(f'mmtranspose.{name}')


def test_public_names():
    assert sorted(apis.__all__) == sorted(NAMES)


@pytest.mark.parametrize(('name', 'home'), NAMES.items())
def test_public_name_is_the_rooms(name, home):
    assert getattr(apis, name) is getattr(module(home), name)


@pytest.mark.parametrize('old', MOVED)
def test_old_path(old):
    """Every public name is there, the same object as in its new place, and no other."""
    names = {name: getattr(module(new), name) for new, names in MOVED[old].items() for name in names}
    if old == 'apis.benchmark':
        names['Settings'] = module('benchmark.benchmark_settings').BenchmarkSettings
    assert sorted(module(old).__all__) == sorted(names)
    for name, value in names.items():
        assert getattr(module(old), name) is value


def test_old_functions_of_checkpoints(tmp_path):
    model = torch.nn.Linear(2, 1)
    path = str(tmp_path / 'a.pth')
    torch.save({'state_dict': model.state_dict(), 'meta': {'seed': 3}}, path)
    content = old_checkpoint.read_checkpoint(path)
    assert old_checkpoint.meta_of(content) == Checkpoint.read(path).meta == {'seed': 3}
    assert old_checkpoint.weights_of(content, path).keys() == {'weight', 'bias'}
    old_checkpoint.require_match(model, content, path)
    with pytest.raises(InputError, match=f'checkpoint {path} does not match the model .* --allow-partial'):
        old_checkpoint.require_match(torch.nn.Linear(2, 2), {**model.state_dict(), 'bias': torch.ones(2)}, path)
    with pytest.raises(InputError, match=f'checkpoint {path} holds weights alone'):
        old_checkpoint.require_resumable(content, path)
