"""``mmtranspose reproduce``: on drawn people in COCO's layout, with weights that a server of this machine has."""

import contextlib
import io
import json
import re
import shutil
import signal
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import mmpose
import pytest
import torch
from weights_server import weights_server

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import write_json
from mmtranspose.loading import zoo
from mmtranspose.loading.conversion import sha256
from mmtranspose.reproduction import coco_data, reproduction_run
from mmtranspose.reproduction.comparison import beyond, differences, markdown_lines, text_lines, warning_lines
from mmtranspose.reproduction.protocols import PROTOCOLS, protocol_config
from mmtranspose.reproduction.reported_results import METRICS, find_reported, reported_models
from mmtranspose.version import __version__

SHIPPED = 'transpose-r-small_photographs'
ANNOTATIONS = 'annotations/person_keypoints_val2017.json'
BOXES = 'person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
OF_COCO = {'AP': 0.75, 'AP@0.5': 0.9, 'AP (M)': 0.8, 'AR': 0.7}  # AP75 and AP(L) are not reported
COLUMNS = dict(AP=0.75, AP50=0.9, AP75=None, AR=0.7) | {'AP(M)': 0.8, 'AP(L)': None}


@pytest.fixture(scope='module')
def data(people, tmp_path_factory):
    """The folder above a dataset in COCO's layout, of two images."""
    root = tmp_path_factory.mktemp('data')
    for name in ('annotations', 'person_detection_results', 'val2017'):
        (root / 'coco' / name).mkdir(parents=True)
    annotations = json.loads((people / 'annotations' / 'person_keypoints_val.json').read_text())
    boxes = json.loads((people / 'person_detection_results' / 'person_detections_val.json').read_text())
    images = annotations['images'][:2]
    ids = [image['id'] for image in images]
    of_images = [one for one in annotations['annotations'] if one['image_id'] in ids]
    write_json(root / 'coco' / ANNOTATIONS, {**annotations, 'images': images, 'annotations': of_images})
    write_json(root / 'coco' / BOXES, [one for one in boxes if one['image_id'] in ids])
    for image in images:
        shutil.copy(people / 'val' / image['file_name'], root / 'coco' / 'val2017')
    return root


@pytest.fixture(scope='module', autouse=True)
def served(tmp_path_factory):
    """A zoo of one model, ``small``, whose weights a server has, beside the real ones; files go to a folder's cache."""
    folder, real = tmp_path_factory.mktemp('served'), zoo.models()
    shipped = next(model for model in real if SHIPPED in zoo.names_of(model))
    config = folder / 'small.py'
    config.write_text(
        f'_base_ = [{shipped["Config"]!r}]\n'
        'test_dataloader = dict(num_workers=0, persistent_workers=False, batch_size=16)\n'
    )
    with weights_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv('TORCH_HOME', str(folder / 'torch'))
        patch.setenv('no_proxy', '127.0.0.1')
        entry = dict(
            Name='td-hm_small',
            Alias=['small'],
            Config=str(config),
            Weights=server.add(shipped['Weights']),
            Metadata={'Results From': 'reported by nobody'},
            Results=[dict(Dataset='COCO', Metrics=OF_COCO), dict(Dataset='COCO (GT boxes)', Metrics=dict(AP=0.5))],
        )
        patch.setattr(zoo, 'models', lambda: [*real, entry])
        yield SimpleNamespace(config=str(config), server=server, file=shipped['Weights'], url=entry['Weights'])


@pytest.fixture(scope='module')
def first(data, run_command, tmp_path_factory):
    """What a run of all protocols leaves: ``root``, its JSON as ``found``, lines of ``markdown`` and ``printed``."""
    root = tmp_path_factory.mktemp('first')
    files = ('--out', root / 'small.json', '--markdown', root / 'small.md')
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert run_command('reproduce', 'small', '--data-root', data, '--output-root', root / 'kept', *files) == 0
    return SimpleNamespace(
        root=root / 'kept',
        found=json.loads((root / 'small.json').read_text()),
        markdown=(root / 'small.md').read_text().splitlines(),
        printed=output.getvalue().splitlines(),
    )


@pytest.fixture
def again(data, run_command, first, tmp_path, monkeypatch):
    """Runs the command on a copy of what the first run left; nothing is measured, but ``measured`` says what would."""
    root, measured = tmp_path / 'kept', []
    shutil.copytree(first.root, root)

    def measure(cfg, device):
        measured.append(cfg.experiment_name)
        return dict.fromkeys(METRICS, 0.25)

    monkeypatch.setattr(reproduction_run, 'measure', measure)

    def run(*options):
        return run_command('reproduce', 'small', '--data-root', data, '--output-root', root, *options)

    return SimpleNamespace(run=run, root=root, measured=measured)


class TestMeasured:
    @pytest.mark.parametrize(
        ('index', 'options'),
        [
            (0, ()),
            (1, ('test_dataloader.dataset.bbox_file=',)),
            (2, ('model.test_cfg.flip_test=False',)),
        ],
        ids=['detector', 'ground-truth', 'no-flip'],
    )
    def test_is_what_the_command_test_measures(
        self, index, options, request, data, first, served, run_command, tmp_path
    ):
        outputs = ('--work-dir', tmp_path / 'work', '--out', tmp_path / 'metrics.json', '--no-data-check')
        run_command('test', served.config, served.file, *outputs, '--cfg-options', f'data_root={data}', *options)
        wanted = json.loads((tmp_path / 'metrics.json').read_text())
        found = first.found['protocols'][index]
        assert found['name'] == request.node.callspec.id
        assert found['measured'] == {name: wanted[metric.in_evaluation] for name, metric in METRICS.items()}

    def test_protocols_differ(self, first):
        aps = [one['measured']['AP'] for one in first.found['protocols']]
        assert len(set(aps)) == 3 and min(aps) > 0.4
        assert [(one['boxes'], one['flip_test']) for one in first.found['protocols']] == [
            ('detector', True),
            ('ground-truth', True),
            ('detector', False),
        ]

    def test_only_the_steps_and_the_table_are_printed(self, first):
        steps = [f'[{number}/3] {one.name}: {one.words}' for number, one in enumerate(PROTOCOLS.values(), 1)]
        warning = warning_lines(first.found['no_reproduction_because'])
        written = ['', *(f'written: {first.root.parent / name}' for name in ('small.json', 'small.md'))]
        printed = [line for line in first.printed if ' - INFO - fetched ' not in line]
        assert printed == [*warning, *steps, '', *text_lines(first.found), *written]

    def test_runs_of_one_process_are_apart(self, tmp_path):
        configs = [protocol_config(one, 'transpose-r-a3', 'a.pth', str(tmp_path), {}) for one in PROTOCOLS.values()]
        assert not any(cfg.test_dataloader.persistent_workers for cfg in configs)  # see protocol_config
        assert len({cfg.experiment_name for cfg in configs}) == len({cfg.visualizer.name for cfg in configs}) == 3


class TestJson:
    def test_reported_and_differences(self, first):
        detector, truth, no_flip = first.found['protocols']
        assert detector['reported'] == COLUMNS
        for name, value in COLUMNS.items():
            wanted = None if value is None else pytest.approx(detector['measured'][name] - value, abs=1e-6)
            assert detector['difference'][name] == wanted
        assert truth['reported'] == dict.fromkeys(METRICS) | dict(AP=0.5)
        assert truth['difference']['AP'] == pytest.approx(truth['measured']['AP'] - 0.5, abs=1e-6)
        assert set(no_flip['reported'].values()) == set(no_flip['difference'].values()) == {None}

    def test_provenance(self, first, data, served):
        found = first.found
        assert (found['name'], found['config'], found['results_from']) == ('small', 'td-hm_small', 'reported by nobody')
        weights = found['weights']
        assert weights['source'] == served.url and weights['of_the_zoo']
        assert weights['sha256'] == sha256(weights['file']) == sha256(served.file)
        assert served.server.asked.count('transpose-r-small_photographs.safetensors') == 1
        versions = found['versions']
        assert versions['torch'] == torch.__version__.partition('+')[0] or versions['torch'] == torch.__version__
        assert (versions['mmpose'], versions['mmtranspose']) == (mmpose.__version__, __version__)
        assert {'xtcocotools', 'pycocotools'} & set(versions)
        assert found['device'].startswith(('cpu', 'cuda', 'mps'))
        assert datetime.fromisoformat(found['date']).tzinfo is not None

    def test_data(self, first, data):
        files = first.found['data']['files']
        assert first.found['data']['root'] == str(data)
        assert files['annotations']['sha256'] == sha256(data / 'coco' / ANNOTATIONS)
        assert files['boxes']['sha256'] == sha256(data / 'coco' / BOXES)
        boxes = json.loads((data / 'coco' / BOXES).read_text())
        assert (files['images']['count'], files['boxes']['count']) == (2, len(boxes))
        assert first.found['data']['check']['splits'][0]['images'] == 2

    def test_other_data_than_the_papers_is_no_reproduction(self, first, data):
        assert first.found['is_reproduction'] is False
        of_images, of_boxes = first.found['no_reproduction_because']
        assert of_images == f'{data} has 2 images in its annotation file; COCO val2017 has 5000'
        assert of_boxes.endswith("boxes; those of the paper's detector are 104125")

    def test_the_papers_data_is_one(self, first, again, data, monkeypatch, tmp_path, capsys):
        boxes = json.loads((data / 'coco' / BOXES).read_text())
        monkeypatch.setattr(coco_data, 'IMAGES', 2)
        monkeypatch.setattr(coco_data, 'BOXES', len(boxes))
        assert again.run('--out', tmp_path / 'a.json') == 0
        found = json.loads((tmp_path / 'a.json').read_text())
        assert found['is_reproduction'] is True and found['no_reproduction_because'] == []
        assert 'NO REPRODUCTION' not in capsys.readouterr().out


class TestGoesOn:
    def test_finished_protocols_are_kept(self, first, again, tmp_path, capsys):
        next(again.root.glob('small-ground-truth-*.json')).unlink()
        assert again.run('--out', tmp_path / 'a.json') == 0
        assert again.measured == ['ground-truth']
        now = json.loads((tmp_path / 'a.json').read_text())['protocols']
        before = first.found['protocols']
        assert [now[0], now[2]] == [before[0], before[2]] and now[1]['measured']['AP'] == 0.25
        assert capsys.readouterr().out.count('finished before, on ') == 2

    @pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
    def test_after_an_interruption(self, number, again, monkeypatch, capsys):
        shutil.rmtree(again.root)
        measure = reproduction_run.measure

        def interrupted(cfg, device):
            if cfg.experiment_name == 'ground-truth':
                signal.raise_signal(number)
            return measure(cfg, device)

        monkeypatch.setattr(reproduction_run, 'measure', interrupted)
        with pytest.raises(KeyboardInterrupt):
            again.run()
        (kept,) = again.root.glob('small-detector-*.json')
        assert capsys.readouterr().out.splitlines()[-3:] == [
            'stopped while ground-truth was measured:',
            f'  finished: detector, kept in {kept}',
            '  the same command measures ground-truth anew, then no-flip',
        ]
        monkeypatch.setattr(reproduction_run, 'measure', measure)
        assert again.run() == 0 and again.measured == ['detector', 'ground-truth', 'no-flip']

    def test_after_an_error_in_the_only_protocol(self, again, monkeypatch, capsys):
        shutil.rmtree(again.root)
        monkeypatch.setattr(reproduction_run, 'measure', lambda cfg, device: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            again.run('--protocols', 'no-flip')
        words = 'no-flip was measured:\n  no protocol was finished\n  the same command measures no-flip anew\n'
        assert capsys.readouterr().out.endswith(words)

    @pytest.mark.parametrize(
        ('options', 'measured'),
        [
            (('--batch-size', '3'), []),
            (('--protocols', 'no-flip', 'no-flip'), []),
            (('--accelerate', '--protocols', 'no-flip'), ['no-flip']),
        ],
        ids=['batch size', 'fewer', 'accelerated'],
    )
    def test_keyed_by_settings(self, options, measured, again):
        assert again.run(*options) == 0 and again.measured == measured

    def test_lower_precision_is_no_reproduction(self, again, tmp_path):
        assert again.run('--accelerate', 'bf16', '--protocols', 'no-flip', '--out', tmp_path / 'a.json') == 0
        assert again.measured == ['no-flip']
        reasons = json.loads((tmp_path / 'a.json').read_text())['no_reproduction_because']
        assert reasons[-1] == 'the network computes in bf16 (--accelerate), which rounds more than fp32'

    def test_keyed_by_weights(self, again, served, tmp_path):
        other = tmp_path / 'other.safetensors'
        other.write_bytes(Path(served.file).read_bytes() + b' ')
        assert again.run('--checkpoint', served.file, '--protocols', 'detector') == 0 and again.measured == []
        assert again.run('--checkpoint', other, '--protocols', 'detector', '--out', tmp_path / 'a.json') == 0
        assert again.measured == ['detector']
        found = json.loads((tmp_path / 'a.json').read_text())
        assert found['weights']['file'] == str(other) and not found['weights']['of_the_zoo']
        assert found['no_reproduction_because'][-1] == f'nothing says that {other} is the released file (--checkpoint)'

    def test_weights_of_another_model(self, data, tiny_checkpoint, run_command, tmp_path):
        """The advice to load a part of them is for trainings, and no option of this command."""
        options = ('--protocols', 'no-flip', '--output-root', tmp_path, '--no-data-check')
        with pytest.raises(InputError, match='does not match the model') as refused:
            run_command('reproduce', 'small', '--data-root', data, '--checkpoint', tiny_checkpoint, *options)
        assert '--allow-partial' not in str(refused.value)

    def test_damaged(self, again):
        path = next(again.root.glob('small-detector-*.json'))
        path.write_text('{}')
        with pytest.raises(InputError, match=f'{path} is not what a finished protocol leaves; delete it'):
            again.run()


class TestMissing:
    @pytest.fixture
    def refused(self, again, data, tmp_path, monkeypatch):
        """Takes files away from a copy of the dataset; returns the message, when nothing was fetched or computed."""
        shutil.copytree(data, tmp_path / 'my data')
        monkeypatch.setattr(reproduction_run, 'released_file', lambda source: pytest.fail(f'{source} was fetched'))

        def refused(*names):
            for name in names:
                path = tmp_path / 'my data' / 'coco' / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            with pytest.raises(InputError) as error:
                again.run('--data-root', tmp_path / 'my data')
            assert again.measured == []
            return str(error.value)

        refused.root = tmp_path / 'my data' / 'coco'
        return refused

    def test_annotations(self, refused):
        message = refused(ANNOTATIONS)
        assert f'  missing: {refused.root}/{ANNOTATIONS}\n' in message and message.count('missing:') == 1
        assert 'curl -L -O http://images.cocodataset.org/annotations/annotations_trainval2017.zip' in message
        assert f"unzip annotations_trainval2017.zip -d '{refused.root}'" in message

    def test_folder_of_images(self, refused):
        message = refused('val2017')
        assert f'  missing: {refused.root}/val2017/\n' in message and message.count('missing:') == 1
        assert 'curl -L -O http://images.cocodataset.org/zips/val2017.zip' in message
        assert f"unzip -q val2017.zip -d '{refused.root}'" in message

    def test_some_images(self, refused):
        message = refused('val2017/000000000001.jpg', 'val2017/000000000002.jpg')
        assert 'lacks 2 of the images' in message
        for name in ('000000000001.jpg', '000000000002.jpg'):
            assert f'{refused.root}/val2017/{name} (No such file' in message
        assert 'http://images.cocodataset.org/zips/val2017.zip' in message and 'annotations_' not in message

    def test_boxes(self, refused):
        message = refused(BOXES)
        assert f'  missing: {refused.root}/{BOXES}\n' in message and message.count('missing:') == 1
        assert 'https://drive.google.com/drive/folders/1fRUDNUDxe9fjqcRZ2bnF_TKMlO0nB_dk' in message
        assert f"mkdir -p '{refused.root}/person_detection_results'" in message

    def test_all(self, refused):
        message = refused(ANNOTATIONS, 'val2017', BOXES)
        assert message.count('missing:') == 3

    def test_boxes_that_are_not_needed(self, again, data, tmp_path):
        shutil.copytree(data, tmp_path / 'data')
        (tmp_path / 'data' / 'coco' / BOXES).unlink()
        assert again.run('--data-root', tmp_path / 'data', '--protocols', 'ground-truth') == 0


class TestSomeImages:
    def test_measured_on_the_first(self, data, run_command, tmp_path, capsys):
        """On the first image alone, as a dataset of that image."""
        arguments = ('small', '--data-root', data, '--output-root', tmp_path, '--out', tmp_path / 'a.json')
        assert run_command('reproduce', *arguments, '--max-images', '1', '--protocols', 'detector') == 0
        found = json.loads((tmp_path / 'a.json').read_text())
        of_images = f'{data} has 2 images in its annotation file; COCO val2017 has 5000'
        reasons = ['only the first 1 of 2 images are evaluated (--max-images)', of_images]
        assert (found['is_reproduction'], found['no_reproduction_because']) == (False, reasons)
        printed = capsys.readouterr().out
        assert printed.count('*** THESE NUMBERS ARE NO REPRODUCTION') == 2  # before and after
        assert f'**no reproduction**: {reasons[0]}' in printed
        whole = json.loads((data / 'coco' / ANNOTATIONS).read_text())
        folder = tmp_path / 'small-first-1-images'
        annotations = json.loads((folder / 'annotations.json').read_text())
        assert annotations['images'] == whole['images'][:1]
        assert {one['image_id'] for one in annotations['annotations']} == {whole['images'][0]['id']}
        assert {one['image_id'] for one in json.loads((folder / 'boxes.json').read_text())} == {
            whole['images'][0]['id']
        }
        measured = found['protocols'][0]['measured']
        assert measured['AP50'] == pytest.approx(1)  # 0.5 if the people of the other image counted
        assert measured['AP(M)'] is None and measured['AP(L)'] == measured['AP']  # both people are large

    def test_other_images_need_not_be_there(self, again, data, tmp_path):
        shutil.copytree(data, tmp_path / 'data')
        (tmp_path / 'data' / 'coco' / 'val2017' / '000000000002.jpg').unlink()
        assert again.run('--data-root', tmp_path / 'data', '--max-images', '1') == 0

    def test_all_of_them(self, again, capsys):
        assert again.run('--max-images', '2') == 0 and again.measured == []
        assert 'only the first' not in capsys.readouterr().out

    def test_nobody_in_them(self, data, tmp_path):
        content = json.loads((data / 'coco' / ANNOTATIONS).read_text())
        content['images'].insert(0, dict(id=77, file_name='77.jpg', width=8, height=8))
        with pytest.raises(InputError, match='--max-images 1: nobody in these images has labelled keypoints'):
            coco_data.CocoData('', {}, dict(annotations=content)).first_images(1, tmp_path)


class TestTolerance:
    def test_exit_status(self, first, again, capsys):
        off = 100 * first.found['protocols'][0]['difference']['AP']
        assert again.run('--protocols', 'detector', '--tolerance', abs(off) + 0.01) == 0
        assert again.run('--protocols', 'detector', '--tolerance', abs(off) - 0.01) == 1
        error = capsys.readouterr().err
        assert f'error: detector: AP differs by {off:+.2f} points, more than the tolerance of' in error

    @pytest.mark.parametrize('difference', [0.003, -0.003])
    def test_by_hand(self, difference):
        summary = dict(protocols=[dict(name='detector', difference=dict(AP=difference))])
        assert beyond(summary, 0.3) == []
        assert len(beyond(summary, 0.29)) == 1

    def test_nothing_reported(self):
        protocol = dict(name='no-flip', difference=dict(AP=None))
        assert beyond(dict(protocols=[{**protocol, 'reported': dict(AP=None)}]), 0) == []
        nobody = beyond(dict(protocols=[{**protocol, 'reported': dict(AP=0.7)}]), 0)
        assert nobody == ['no-flip: no AP was measured, because nobody counts']

    @pytest.mark.parametrize(
        ('options', 'words'),
        [
            (('--tolerance', '-1'), 'a number of AP points from 0 on'),
            (('--tolerance', 'nan'), 'a number of AP points from 0 on'),
            (('--tolerance', '1', '--max-images', '2'), 'leave out one'),
            (('--tolerance', '1', '--protocols', 'no-flip'), 'nothing is reported for no-flip; add detector'),
            (('--checkpoint', 'none.pth'), 'checkpoint none.pth does not exist'),
            (('--device', 'cuda:99'), 'device cuda:99 is not available'),
        ],
    )
    def test_mistakes(self, options, words, again):
        with pytest.raises(InputError, match=words):
            again.run(*options)
        assert again.measured == []


SUMMARY = dict(
    name='transpose-r-a3',
    results_from='reported by the authors',
    no_reproduction_because=[],
    versions=dict(mmtranspose='0.2.0', torch='2.11.0'),
    device='cpu (x86_64)',
    weights=dict(source='a.pth', sha256='0123456789abcdef', of_the_zoo=True),
    data=dict(root='data/coco/'),
    protocols=[
        dict(
            name='detector',
            words='detector boxes, flip test',
            boxes='detector',
            flip_test=True,
            date='2026-11-28T10:00:00+00:00',
            measured={'AP': 0.71684, 'AP50': 0.8891, 'AP75': 0.7875, 'AP(M)': 0.68, 'AP(L)': None, 'AR': 0.771},
            reported={'AP': 0.717, 'AP50': 0.889, 'AP75': 0.788, 'AP(M)': 0.68, 'AP(L)': 0.786, 'AR': None},
        )
    ],
)
for one in SUMMARY['protocols']:
    one['difference'] = differences(one['measured'], one['reported'])


class TestTables:
    def test_differences(self):
        assert SUMMARY['protocols'][0]['difference'] == {
            'AP': -0.00016,
            'AP50': 0.0001,
            'AP75': -0.0005,
            'AP(M)': 0.0,
            'AP(L)': None,
            'AR': None,
        }

    def test_text(self):
        lines = [re.split(r'  +', line.strip()) for line in text_lines(SUMMARY)]
        assert lines[:4] == [
            ['protocol', 'transpose-r-a3', 'AP', 'AP50', 'AP75', 'AP(M)', 'AP(L)', 'AR'],
            ['detector', 'measured', '71.68', '88.91', '78.75', '68.00', '-', '77.10'],
            ['detector boxes', 'reported by the authors', '71.7', '88.9', '78.8', '68.0', '78.6', '-'],
            ['flip test', 'difference', '-0.02', '+0.01', '-0.05', '+0.00', '-', '-'],
        ]

    def test_markdown(self):
        head, rule, line = markdown_lines(SUMMARY)
        assert head == (
            '| Model | Boxes | Flip test | AP | AP<sup>50</sup> | AP<sup>75</sup> | AP (M) | AP (L) | AR | reported AP '
            '| Measured |'
        )
        assert rule.count('---') == head.count('|') - 1
        assert line == (
            '| transpose-r-a3 | detector | yes | 0.717 | 0.889 | 0.787 | 0.680 | - | 0.771 | 0.717 | 2026-11-28, '
            'mmtranspose 0.2.0, torch 2.11.0, cpu (x86_64), weights 01234567 |'
        )

    def test_markdown_of_a_run(self, first):
        assert len(first.markdown) == 5
        measured = first.found['protocols'][1]['measured']
        assert first.markdown[3].startswith(f'| small | ground-truth | yes | {measured["AP"]:.3f} | ')
        assert '**no reproduction**' in first.markdown[3]


class TestNames:
    def test_all_of_the_paper(self):
        assert [name for name in reported_models() if name != 'small'] == [
            f'transpose-{variant}' for variant in ('r-a3', 'r-a4', 'h-s', 'h-a4', 'h-a6')
        ]

    @pytest.mark.parametrize(
        'name', ['transpose-h-a6', 'Transpose-H-A6', 'td-hm_transpose-h-a6_4xb14-240e_coco-256x192']
    )
    def test_reported(self, name):
        model = find_reported(name)
        assert model.name == 'transpose-h-a6' and model.source == 'reported by the authors'
        points = dict(zip(METRICS, (75.8, 90.1, 82.1, 71.9, 82.8, 80.8)))
        assert model.reported('COCO') == {name: pytest.approx(value / 100) for name, value in points.items()}
        assert model.reported('COCO (GT boxes)') == dict.fromkeys(METRICS) | dict(AP=0.781)
        assert model.reported(None) == dict.fromkeys(METRICS)

    @pytest.mark.parametrize(
        ('name', 'words'),
        [
            ('hrnet', 'hrnet is no model of mmtranspose; the results of these can be reproduced: transpose-r-a3, '),
            (
                'transpose-r-a3_mpii',
                'transpose-r-a3_mpii has no weights, so there is nothing to reproduce; choose',
            ),
            (SHIPPED, f'{SHIPPED} has no reported results on COCO val2017, so there is nothing to reproduce'),
        ],
    )
    def test_others(self, name, words):
        with pytest.raises(InputError, match=re.escape(words)) as error:
            find_reported(name)
        assert 'transpose-h-a6' in str(error.value)
