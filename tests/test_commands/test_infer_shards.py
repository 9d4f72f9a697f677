"""``mmtranspose infer`` in several processes: each goes on after a stop, and together they write what one writes."""

import argparse
import json
import os
import shutil
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from written_results import content

from mmtranspose.acceleration import accelerated_estimator, options
from mmtranspose.acceleration.openvino_network import OpenVinoNetwork
from mmtranspose.apis import InputError, TopdownPipeline, load_exported
from mmtranspose.commands import infer as command
from mmtranspose.commands.run_settings import computed_by
from mmtranspose.commands.shard_arguments import device_of, require_shareable, shard_of
from mmtranspose.errors import FAILED
from mmtranspose.explain import ExplainOptions
from mmtranspose.inference.pose_estimation import PoseEstimation
from mmtranspose.media import VideoWriter, open_source, read_image
from mmtranspose.results.shards import Shard, alone, reserved
from mmtranspose.results.units_folder import UnitsFolder

# Five units: a/7 and a/x1, a/x2 and a/x3, the video, b/x1 and b/x2, b/x3. The network gets these numbers of people:
SIZES, BATCHES = ('--batch-size', '4', '--det-batch-size', '1'), [3, 3, 4, 4, 2, 3, 3]


@pytest.fixture(scope='module')
def scene(people, tmp_path_factory):
    """Eight images of two folders with equal names, one unreadable, and a video; boxes by name."""
    folder = tmp_path_factory.mktemp('scene')
    sources = sorted((people / 'train').glob('*.jpg')) + sorted((people / 'val').glob('*.jpg'))
    boxes = {}
    for number, name in enumerate(('a/x1.jpg', 'a/x2.png', 'a/x3.jpg', 'a/7.jpg', 'b/x1.jpg', 'b/x2.jpg', 'b/x3.jpg')):
        (folder / name).parent.mkdir(exist_ok=True)
        image = cv2.resize(read_image(str(sources[number])), None, fx=0.5, fy=0.5)
        cv2.imwrite(str(folder / name), image)
        boxes[name] = [[5 + 9 * one, 5, 60 + 20 * one, 100 + 7 * number, 0.9] for one in range(3 - number % 3)]
    boxes['a/x2.png'].append([5, 5, 5, 9])
    (folder / 'a' / 'x1.jpg').write_bytes(b'no image')  # so that the name goes to b/x1.jpg
    with VideoWriter(folder / 'b' / 'clip.mp4', Fraction(25), (96, 64)) as writer:
        for number in range(5):
            writer.write(np.full((64, 96, 3), 40 * number, np.uint8))
    boxes['b/clip.mp4'] = [[10, 5, 50, 60], [40, 5, 90, 60]]
    (folder / 'boxes.json').write_text(json.dumps(boxes))
    return folder


@pytest.fixture(scope='module')
def infer(run_command, tiny_config, tiny_checkpoint, scene):
    """Runs the command on the scene, with another box file, checkpoint or further inputs if given."""

    def run(out, *flags, boxes='boxes.json', checkpoint=tiny_checkpoint, more=()):
        where = ('--input', 'a', 'b', *more, '--bboxes', boxes, '--output-root', out)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(scene)
            return run_command('infer', tiny_config, checkpoint, *where, *SIZES, *flags)

    return run


@pytest.fixture(scope='module')
def by_one(infer, tmp_path_factory):
    """What one process writes."""
    out = tmp_path_factory.mktemp('one') / 'out'
    assert infer(out) == FAILED  # an image is unreadable
    return content(out)


@pytest.fixture
def counted(monkeypatch):
    """The numbers of people that went through the network together."""
    sizes, estimate = [], PoseEstimation.__call__
    monkeypatch.setattr(
        PoseEstimation, '__call__', lambda self, crops: sizes.append(len(crops)) or estimate(self, crops)
    )
    return sizes


@pytest.fixture(scope='module')
def stopped_once(infer, tmp_path_factory):
    """A shard that was stopped while it wrote its third unit, and what a killed process leaves."""
    ends, end_unit, out = [], UnitsFolder.end_unit, tmp_path_factory.mktemp('stopped') / 'out'

    def end(self, unit):
        if len(ends) == 2:
            raise KeyboardInterrupt
        ends.append(unit.number)
        end_unit(self, unit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnitsFolder, 'end_unit', end)
        with pytest.raises(KeyboardInterrupt):
            infer(out, '--shard', '1/1')
    parts = out / 'parts'
    assert ends == [0, 1] and (parts / '000002').is_dir() and not (parts / '000002.json').exists()
    (parts / '000002' / 'x9.jpg').write_bytes(b'of a killed process')
    (parts / '000003').mkdir(exist_ok=True)
    (parts / '000003' / 'x3.jpg.17.partial').write_bytes(b'cut')
    (parts / '000003.frames.json').write_text('[\n{"frame"')
    return out


@pytest.fixture
def stopped(stopped_once, tmp_path):
    return shutil.copytree(stopped_once, tmp_path / 'out')


class TestSharing:
    def test_three_shards_write_what_one_process_writes(self, infer, by_one, tmp_path, capsys):
        out = tmp_path / 'out'
        assert set(by_one) >= {'x1.jpg', 'x1.json', 'x2.png', 'x2_2.jpg', '7.jpg', 'clip.mp4', 'results_coco.json'}
        infer(out, '--shard', '2/3')
        assert os.listdir(out) == ['parts'] and 'shard 1/3 (2 of 2 parts) and shard 3/3 (1 of 1 parts)' in said(capsys)
        infer(out, '--shard', '3/3')
        assert os.listdir(out) == ['parts']
        assert infer(out, '--shard', '1/3') == FAILED
        assert content(out) == by_one
        printed = capsys.readouterr()
        assert '11 frames' in printed.out and '2 skipped' in printed.out
        assert 'a/x1.jpg: is damaged' in printed.err and 'a/x2.png: box 2 ' in printed.err
        assert sorted(os.listdir(out / 'parts')) == ['made_by.json', 'merged.json']

    def test_batches_do_not_depend_on_the_shard(self, infer, counted, tmp_path):
        """Network batches of up to 4 people do not mix units, so that the last bits are those of one process."""
        infer(tmp_path / 'one')
        one = list(counted)
        counted.clear()
        infer(tmp_path / 'out', '--shard', '2/2')
        infer(tmp_path / 'out', '--shard', '1/2')
        assert one == BATCHES and counted == [3, 3, 3, 4, 4, 2, 3]

    def test_folders_copied_together(self, infer, by_one, tmp_path):
        infer(tmp_path / 'first', '--shard', '1/2')
        infer(tmp_path / 'second', '--shard', '2/2')
        shutil.copytree(tmp_path / 'first', tmp_path / 'second', dirs_exist_ok=True)
        assert infer(tmp_path / 'second', '--merge') == FAILED
        assert content(tmp_path / 'second') == by_one

    def test_nothing_is_merged_while_parts_are_missing(self, infer, tmp_path):
        with pytest.raises(InputError, match='holds no results of shards: nothing to merge'):
            infer(tmp_path / 'out', '--merge')
        infer(tmp_path / 'out', '--shard', '1/2')
        missing = r'nothing is merged, because there is still to compute: shard 2/2 \(2 of 2 parts\)'
        with pytest.raises(InputError, match=missing):
            infer(tmp_path / 'out', '--merge')
        assert os.listdir(tmp_path / 'out') == ['parts']

    def test_tracks(self, infer, counted, tmp_path):
        """Images in a row count as the frames of one video, so they are not divided."""
        infer(tmp_path / 'one', '--track')
        before = sum(counted)
        infer(tmp_path / 'out', '--track', '--shard', '2/2')
        assert sum(counted) - before == 10  # the video alone
        infer(tmp_path / 'out', '--track', '--shard', '1/2')  # the images before and after the video
        assert content(tmp_path / 'out') == content(tmp_path / 'one')
        coco = json.loads((tmp_path / 'out' / 'results_coco.json').read_text())
        assert [one['track_id'] for one in coco if one['file_name'] == 'b/clip.mp4'][:2] == [0, 1]
        assert max(one['track_id'] for one in coco if one['file_name'].startswith('a')) > 2

    def test_without_predictions(self, infer, by_one, tmp_path):
        for shard in ('1/2', '2/2'):
            infer(tmp_path / 'out', '--shard', shard, '--no-save-predictions')
        assert content(tmp_path / 'out') == {name: data for name, data in by_one.items() if not name.endswith('.json')}

    def test_a_merged_run_is_not_begun_anew(self, infer, by_one, counted, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv('RANK', '0')
        assert infer(tmp_path / 'out', '--launcher', 'pytorch') == FAILED
        counted.clear()
        for flags in (('--shard', '1/2'), ('--merge',), ('--launcher', 'pytorch')):
            assert infer(tmp_path / 'out', *flags) == FAILED
            assert 'the results of all shards are merged' in capsys.readouterr().out
        assert counted == [] and content(tmp_path / 'out') == by_one


def said(capsys):
    return capsys.readouterr().out


class TestGoingOn:
    def test_finished_images_are_not_repeated(self, infer, by_one, stopped, counted, capsys):
        infer(stopped, '--shard', '1/1')
        assert 'shard 1/1: 2 of 5 parts are finished' in capsys.readouterr().err
        assert counted == BATCHES[2:] and content(stopped) == by_one

    def test_another_number_of_shards(self, infer, by_one, stopped):
        infer(stopped, '--shard', '2/2')
        infer(stopped, '--shard', '1/2')
        assert content(stopped) == by_one

    @pytest.mark.parametrize(
        ('change', 'named'),
        [
            (lambda scene: dict(flags=('--kpt-thr', '0.4')), 'kpt_thr=0.3, now 0.4'),
            (lambda scene: dict(flags=('--batch-size', '5')), 'batch_size=4, now 5'),
            (lambda scene: dict(flags=('--track',)), 'track=False, now True'),
            (lambda scene: dict(flags=('--cfg-options', 'model.test_cfg.flip_test=False')), 'model='),
            (lambda scene: dict(more=[scene / 'b' / 'x2.jpg']), "inputs='8 files, .*now '9 files"),
            (lambda scene: dict(boxes='other.json'), 'boxes='),
            (lambda scene: dict(checkpoint='other.pth'), 'weights='),
        ],
    )
    def test_another_setting_is_refused(self, infer, stopped_once, scene, counted, tiny_checkpoint, change, named):
        (scene / 'other.json').write_text((scene / 'boxes.json').read_text().replace('0.9', '0.8'))
        weights = torch.load(tiny_checkpoint, weights_only=False)
        next(iter(weights['state_dict'].values())).mul_(1.5)
        torch.save(dict(state_dict=weights['state_dict']), scene / 'other.pth')
        changed = change(scene)
        with pytest.raises(InputError, match=f'out/parts holds results with {named}'):
            infer(stopped_once, '--shard', '1/1', *changed.pop('flags', ()), **changed)
        assert counted == []

    def test_an_image_that_was_replaced(self, infer, stopped, scene):
        before = (scene / 'b' / 'x3.jpg').read_bytes()
        try:
            (scene / 'b' / 'x3.jpg').write_bytes(before + b' ')
            with pytest.raises(InputError, match="inputs='8 files"):
                infer(stopped, '--shard', '1/1')
        finally:
            (scene / 'b' / 'x3.jpg').write_bytes(before)

    def test_a_shard_that_runs_already(self, infer, stopped):
        with reserved(stopped / 'parts', Shard(1, 1)):
            for shard in ('1/1', '1/2'):
                with pytest.raises(InputError, match='shard 1/1 is running'):
                    infer(stopped, '--shard', shard)

    def test_a_pattern_that_reaches_the_results(
        self, run_command, scene, tiny_config, tiny_checkpoint, tmp_path, capsys
    ):
        photos = shutil.copytree(scene / 'b', tmp_path / 'photos' / 'b').parent
        inputs = ('--input', photos / '**' / 'x[12].jpg', '--bboxes', 'whole-image', '--output-root', photos / 'poses')
        for shard, left_out in (('1/2', 0), ('2/2', 1), ('1/2', 2)):  # the parts of the other shard; what is merged
            sizes = ('--batch-size', '2', '--det-batch-size', '1')
            assert run_command('infer', tiny_config, tiny_checkpoint, *inputs, *sizes, '--shard', shard) == 0
            printed = capsys.readouterr()
            assert ('left out, as they are results: ' in printed.err) == bool(left_out)
            assert not left_out or (
                f': {left_out} file' in printed.err and f'--output-root {photos}/poses' in printed.err
            )
        assert 'the results of all shards are merged' in printed.out
        assert set(content(photos / 'poses')) == {'x1.jpg', 'x1.json', 'x2.jpg', 'x2.json', 'results_coco.json'}

    def test_a_merge_that_runs_already(self, infer, stopped, capsys):
        with alone(stopped / 'parts' / 'made_by.json'):
            infer(stopped, '--shard', '1/1')
        assert 'another process is merging the results' in capsys.readouterr().out
        assert os.listdir(stopped) == ['parts']


class TestWhatComputes:
    """Shards are alike where the network runs in the same number format and by the same library."""

    def test_what_is_used_is_noted(self, tiny_model, monkeypatch):
        def computed(**options):
            return computed_by(TopdownPipeline(tiny_model, 'whole-image', **options))

        monkeypatch.setattr(options, '_cpu_bf16', lambda: True)
        assert computed(dtype='bf16') == dict(backend='torch', dtype='bfloat16')
        monkeypatch.setattr(options, '_cpu_bf16', lambda: False)
        with pytest.warns(UserWarning, match='no native bf16'):
            assert computed(dtype='bf16') == dict(backend='torch', dtype='float32')
        monkeypatch.setattr(accelerated_estimator, 'is_installed', lambda: True)
        assert computed(backend='openvino') == dict(backend='openvino', dtype='float32')
        monkeypatch.setattr(accelerated_estimator, 'is_installed', lambda: False)
        assert computed(backend='openvino') == dict(backend='torch', dtype='float32')
        assert computed(explain=ExplainOptions()) == dict(backend='torch', dtype='float32')

    def test_the_runtime_of_a_file(self, exported):
        pipeline = TopdownPipeline(load_exported(exported / 'crops.onnx'), 'whole-image')
        assert computed_by(pipeline) == dict(backend='OnnxRuntime', dtype='fp32')

    def test_another_number_format_is_refused(self, infer, stopped_once, monkeypatch):
        monkeypatch.setattr(options, '_cpu_bf16', lambda: True)
        with pytest.raises(InputError, match="holds results with dtype='float32', now 'bfloat16'"):
            infer(stopped_once, '--shard', '1/1', '--bf16')

    def test_openvino_that_fails_later(self, infer, tmp_path, monkeypatch):
        def broken(*_):
            raise RuntimeError('no such operator')

        monkeypatch.setattr(accelerated_estimator, 'is_installed', lambda: True)
        monkeypatch.setattr(OpenVinoNetwork, '_compile', broken)
        with (
            pytest.warns(UserWarning, match='no such operator'),
            pytest.raises(InputError, match='OpenVINO cannot run the network here, .* --backend torch'),
        ):
            infer(tmp_path / 'out', '--shard', '1/1', '--backend', 'openvino')
        assert not list((tmp_path / 'out' / 'parts').glob('00000[0-9].json'))


class TestArguments:
    @pytest.mark.parametrize('text', ['0/2', '3/2', '1', '1/0', '-1/2', 'a/b', '1/2/3', '1.5/2', ''])
    def test_not_a_shard(self, text, capsys):
        with pytest.raises(InputError, match='is not K/N with K from 1 to N'):
            Shard.parse(text)
        with pytest.raises(SystemExit):
            command.parse_arguments(['config.py', 'file.pth', '--input', 'x.jpg', f'--shard={text}'])
        assert 'is not K/N with K from 1 to N' in capsys.readouterr().err

    @pytest.mark.parametrize('shards', [1, 2, 3, 7])
    def test_each_unit_has_one_shard(self, shards):
        owners = [[k for k in range(1, shards + 1) if Shard(k, shards).has(unit)] for unit in range(20)]
        assert all(len(one) == 1 for one in owners) and {one[0] for one in owners} == set(range(1, shards + 1))

    @pytest.mark.parametrize(
        ('launcher', 'variables', 'expected'),
        [
            ('none', {}, None),
            ('pytorch', dict(RANK='2', WORLD_SIZE='4'), Shard(3, 4)),
            ('slurm', dict(SLURM_PROCID='0', SLURM_NTASKS='8'), Shard(1, 8)),
            ('mpi', dict(OMPI_COMM_WORLD_RANK='1', OMPI_COMM_WORLD_SIZE='2'), Shard(2, 2)),
        ],
    )
    def test_the_shard_of_a_launched_process(self, monkeypatch, launcher, variables, expected):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert shard_of(argparse.Namespace(shard=None, merge=False, launcher=launcher)) == expected

    @pytest.mark.parametrize(
        'args', [dict(shard=Shard(1, 2), merge=True), dict(merge=True, launcher='slurm'), dict(shard=1, launcher='mpi')]
    )
    def test_what_a_process_does_is_said_once(self, args):
        with pytest.raises(InputError, match='exclude each other'):
            shard_of(argparse.Namespace(**(dict(shard=None, merge=False, launcher='none') | args)))

    @pytest.mark.parametrize(
        ('device', 'launcher', 'gpus', 'expected'),
        [
            (None, 'none', 2, 'cpu'),
            ('cuda:1', 'none', 2, 'cuda:1'),
            (None, 'pytorch', 0, 'cpu'),
            (None, 'pytorch', 2, 'cuda:1'),
            ('cuda', 'pytorch', 2, 'cuda:1'),
            ('cpu', 'pytorch', 2, 'cpu'),
            (None, 'slurm', 4, 'cuda:2'),
            (None, 'mpi', 4, 'cuda:0'),
        ],
    )
    def test_the_device_of_a_process(self, monkeypatch, device, launcher, gpus, expected):
        """A launcher that runs inside a job of Slurm finds Slurm's variables, too."""
        monkeypatch.setenv('LOCAL_RANK', '3')
        monkeypatch.setenv('SLURM_LOCALID', '2')
        monkeypatch.delenv('OMPI_COMM_WORLD_LOCAL_RANK', raising=False)
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
        assert device_of(argparse.Namespace(device=device, launcher=launcher)) == expected

    def test_a_variable_that_is_no_number(self, monkeypatch):
        monkeypatch.setenv('SLURM_PROCID', 'first')
        with pytest.raises(InputError, match='SLURM_PROCID=first, of --launcher slurm, is not a whole number'):
            shard_of(argparse.Namespace(shard=None, merge=False, launcher='slurm'))

    def test_what_processes_cannot_share(self, scene):
        args = argparse.Namespace(show=False, input=[str(scene / 'a'), str(scene / '*' / '*')], output_root=scene / 'a')
        camera = SimpleNamespace(live=True, inputs=[])
        with pytest.raises(InputError, match='a camera cannot be shared by processes'):
            require_shareable(args, camera, False)
        images = open_source([scene / 'a', scene / 'b' / 'x1.jpg'])
        require_shareable(args, images, False)
        with pytest.raises(InputError, match='--explain page of several inputs of the name x1 is for one process'):
            require_shareable(args, images, True)
        args.show = True
        with pytest.raises(InputError, match='--show is for one process'):
            require_shareable(args, images, False)
        args.output_root = scene / 'a' / '..'
        with pytest.raises(InputError, match=r'--input .*/\*/\* may match what is written to --output-root .*/a/\.\.'):
            require_shareable(args, images, False)

    def test_boxes_by_id_of_several_videos(self, infer, scene, tmp_path):
        (scene / 'ids.json').write_text(json.dumps([dict(image_id=0, category_id=1, bbox=[5, 5, 50, 50], score=1)]))
        with pytest.raises(InputError, match='detections by image_id are for images or for the frames of one video'):
            infer(tmp_path / 'out', '--shard', '1/2', boxes='ids.json')
