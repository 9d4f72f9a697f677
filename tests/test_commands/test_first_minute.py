"""Whole command lines that name a model and an image: weights and detector are fetched, here from this machine."""

import json
import shutil

import numpy as np
import pytest
from mmpose.apis.inferencers.utils import default_det_models
from tiny_detector import write_detector
from weights_server import weights_server

from mmtranspose.apis import InputError
from mmtranspose.commands import detect as detect_command
from mmtranspose.detection import PersonDetector
from mmtranspose.loading import checkpoint_content, download, zoo
from mmtranspose.media import read_image

DETECTOR_TOO = ["the person detector's checkpoint"]
ANNOTATIONS = 'annotations/person_keypoints_val.json'


@pytest.fixture(scope='module')
def detector_files(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp('detector'))


@pytest.fixture
def server(tiny_config, tiny_checkpoint, detector_files, tmp_path, monkeypatch):
    """The tiny model is called ``tiny``, the tiny detector is MMPose's ``human``; the current folder is empty."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    with weights_server() as server:
        entry = dict(Name='tiny', Config=tiny_config, Weights=server.add(tiny_checkpoint, 'tiny.pth'), Metadata={})
        bundled = dict(Name='bundled', Config=tiny_config, Weights=tiny_checkpoint, Metadata={})
        monkeypatch.setattr(zoo, 'models', lambda: [entry, bundled])
        monkeypatch.setattr(checkpoint_content, 'models', zoo.models)
        human = dict(model=detector_files[0], weights=server.add(detector_files[1]), cat_ids=(0,))
        monkeypatch.setitem(default_det_models, 'human', human)
        yield server


@pytest.fixture
def street(people, tmp_path):
    return shutil.copy(people / 'val' / '000000000001.jpg', tmp_path / 'street.jpg')


def test_infer(
    server, street, tmp_path, run_command, tiny_config, tiny_checkpoint, detector_files, capsys, monkeypatch
):
    logged = []
    monkeypatch.setattr(download, 'print_log', lambda words, logger: logged.append(words))
    assert run_command('infer', 'tiny', '--input', street) == 0
    assert sorted(server.asked) == ['detector.pth', 'tiny.pth']
    words = "people are found by MMPose's person detector (human); --det-config names another, --bboxes FILE.json"
    assert words in capsys.readouterr().err
    for name in ('tiny.pth', 'detector.pth'):
        size = server.files[name].stat().st_size / 1e6
        kept = tmp_path / 'torch' / 'hub' / 'checkpoints' / name
        assert f'fetched {server.url}/{name} to {kept} ({size:.1f} MB)' in logged
    named = ('--det-config', detector_files[0], '--det-checkpoint', detector_files[1], '--output-root', 'named')
    assert run_command('infer', tiny_config, tiny_checkpoint, '--input', street, *named) == 0
    found, expected = (
        json.loads((tmp_path / 'here' / folder / 'street.json').read_text()) for folder in ('results', 'named')
    )
    assert found['instance_info'] == expected['instance_info'] and len(found['instance_info']) > 0
    assert (tmp_path / 'here' / 'results' / 'street.jpg').is_file()
    assert len(server.asked) == 2 and 'people are found' not in capsys.readouterr().err


def test_checkpoint_may_follow_options(server, street, tiny_checkpoint, run_command):
    where = ('--output-root', 'out', '--bboxes', 'whole-image')
    assert run_command('infer', 'tiny', '--input', street, *where, tiny_checkpoint) == 0
    assert server.asked == []


def test_explain(server, street, tmp_path, run_command):
    assert run_command('explain', 'tiny', '--input', street, '--no-affect', '--animation') == 0
    assert (tmp_path / 'here' / 'results' / 'street_animation.gif').read_bytes()[:3] == b'GIF'
    with np.load(tmp_path / 'here' / 'results' / 'street.npz') as maps:
        (boxes,) = PersonDetector()([read_image(str(street))])
        assert len(maps['keypoints']) == len(boxes) > 0
    with pytest.raises(InputError, match='--bboxes and --det-cat-id exclude each other'):
        run_command('explain', 'tiny', '--input', street, '--bboxes', 'whole-image', '--det-cat-id', 0)


def test_explain_finds_nobody(server, street, run_command, monkeypatch):
    monkeypatch.setattr(PersonDetector, '__call__', lambda self, images: [np.zeros((0, 5), np.float32)])
    with pytest.raises(InputError, match='the detector finds nobody in .*street.jpg; --bboxes whole-image makes one'):
        run_command('explain', 'tiny', '--input', street)


def test_other_commands_without_a_checkpoint(server, tested, tmp_path, run_command):
    run_command('test', 'tiny', '--out', 'metrics.json', '--cfg-options', 'experiment_name=first_minute')
    assert json.loads((tmp_path / 'here' / 'metrics.json').read_text()) == pytest.approx(tested.metrics)
    flags = ('--max-samples', '2', '--faithfulness-samples', '0', '--output-root', 'explained')
    run_command('explain_dataset', 'tiny', *flags)
    assert (tmp_path / 'here' / 'explained' / 'explanation.json').is_file()
    assert server.asked == ['tiny.pth']


def test_detect(server, people, detector_files, run_command):
    where = ('--img-root', people / 'val', '--bbox-thr', 0.3)
    forms = {
        'default': [people / ANNOTATIONS],
        'zoo': ['human', 'zoo', people / ANNOTATIONS],
        'name': ['human', people / ANNOTATIONS],
        'options': ['--det-config', detector_files[0], '--det-checkpoint', detector_files[1], people / ANNOTATIONS],
        'words': [*detector_files, people / ANNOTATIONS],
    }
    found = []
    for name, form in forms.items():
        assert run_command('detect', *form, *where, '--out', f'{name}.json') == 0
        with open(f'{name}.json') as file:
            found.append(json.load(file))
    assert len(found[0]) > 0 and all(one == found[0] for one in found)
    assert server.asked == ['detector.pth']


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['a', 'b', 'c', 'd'], '4 files are named; give ANN_FILE alone'),
        (['a', 'b', '--det-config', 'c'], 'a and --det-config or --det-checkpoint name the detector twice'),
    ],
)
def test_detect_with_too_many_words(words, said):
    with pytest.raises(InputError, match=said):
        detect_command.parse_arguments([*words, '--img-root', 'x', '--out', 'y'])


def test_detect_takes_words_and_options_in_any_order():
    args = detect_command.parse_arguments(['a.py', '--img-root', 'x', 'a.pth', '--out', 'y', 'b.json'])
    assert (args.det_config, args.det_checkpoint, args.ann_file) == ('a.py', 'a.pth', 'b.json')


def test_no_network(server, street, people, run_command, tmp_path):
    server.answers['detector.pth'] = lambda to: to.send_error(503)
    kept = tmp_path / 'torch' / 'hub' / 'checkpoints' / 'detector.pth'
    with pytest.raises(InputError) as caught:
        run_command('infer', 'tiny', '--input', street)
    gone = f"the person detector's checkpoint {server.url}/detector.pth cannot be downloaded: HTTP Error 503: Service "
    said = str(caught.value)
    assert said.startswith(f'{gone}Unavailable. Without a network')
    assert f"- the person detector's checkpoint: {server.url}/detector.pth as {kept}\n" in said
    assert f'- the checkpoint of tiny: {server.url}/tiny.pth as {kept.with_name("tiny.pth")}\n' in said
    assert 'Or take bundled, which comes with the package, and give the boxes, which needs no network: ' in said
    with pytest.raises(InputError) as caught:  # a command that lists none, as it has no other checkpoint
        run_command('detect', people / ANNOTATIONS, '--img-root', people / 'val', '--out', 'boxes.json')
    assert str(caught.value).startswith(
        f'{gone}Unavailable; you can put the file at {kept} by hand (it is the default detector; --det-config names'
    )


@pytest.mark.parametrize('command', ['infer', 'explain', 'app'])
def test_only_what_is_missing_is_listed(server, street, run_command, command):
    """The pose checkpoint of a command with boxes alone; and of one with a detector that is there, too."""
    server.answers['tiny.pth'] = lambda to: to.send_error(404)
    inputs = () if command == 'app' else ('--input', street)
    for boxes in ((), ('--bboxes', 'whole-image')):
        with pytest.raises(InputError) as caught:
            run_command(command, 'tiny', *inputs, *boxes)
        listed = [line for line in str(caught.value).splitlines() if line.startswith('- ')]
        whole = ['the checkpoint of tiny']
        fetched_before = command != 'app' or boxes  # app loads its model first
        assert [line[2:].split(':')[0] for line in listed] == whole + ([] if fetched_before else DETECTOR_TOO)


def test_commands_of_one_model_name_what_works_without_a_network(server, run_command):
    server.answers['tiny.pth'] = lambda to: to.send_error(404)
    with pytest.raises(InputError, match='tiny.pth by hand; bundled works without a network: it comes with the'):
        run_command('test', 'tiny')


def test_mmposes_own_person_detector():
    """The released file has a hash in its name and a config that mmcv-lite runs."""
    human = default_det_models['human']
    assert human['weights'].endswith('-person-235e8209.pth') and human['model'].endswith('coco-person.py')
