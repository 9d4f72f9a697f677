"""The command lines from end to end: train, resume, test, explain. `infer` has test_infer_tool.py."""

import json
import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmtranspose.apis import InputError, explain_topdown

BOXES = [[20, 15, 120, 290, 0.75], [100.5, 30.25, 230, 300, 0.5]]


def log_of(work_dir) -> str:
    newest = max(work_dir.glob('*/*.log'), key=lambda path: path.stat().st_mtime)
    return newest.read_text()


@pytest.fixture
def steps(people) -> int:
    """Of an epoch: 4 people a step."""
    return -(-len(json.loads((people / 'annotations/person_keypoints_train.json').read_text())['annotations']) // 4)


class TestTrain:
    def test_what_an_epoch_leaves(self, trained):
        names = {path.name for path in trained.iterdir()}
        assert {'epoch_1.pth', 'last_checkpoint', 'tiny.py'} <= names
        assert not [name for name in names if name.endswith('.partial')]
        assert (trained / 'last_checkpoint').read_text() == str(trained / 'epoch_1.pth')

    def test_it_learns(self, trained, steps):
        checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
        assert (checkpoint['meta']['epoch'], checkpoint['meta']['iter']) == (1, steps)
        assert {state['step'].item() for state in checkpoint['optimizer']['state'].values()} == {steps}
        assert checkpoint['meta']['dataset_meta']['dataset_name'] == 'coco'

    def test_resume_goes_on(self, trained, steps, tiny_config, run_command, tmp_path):
        work_dir = tmp_path / 'work'
        shutil.copytree(trained, work_dir)
        (work_dir / 'epoch_2.pth').write_bytes((trained / 'epoch_1.pth').read_bytes()[:-1000])  # killed while writing
        (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))
        before = torch.load(trained / 'epoch_1.pth', weights_only=True)
        options = ('train_cfg.max_epochs=2', 'experiment_name=resumed')
        run_command('train', tiny_config, '--work-dir', work_dir, '--resume', '--cfg-options', *options)
        after = torch.load(work_dir / 'epoch_2.pth', weights_only=True)
        assert f'resumed epoch: 1, iter: {steps}\n' in log_of(work_dir)
        assert (after['meta']['epoch'], after['meta']['iter']) == (2, 2 * steps)
        assert {state['step'].item() for state in after['optimizer']['state'].values()} == {2 * steps}
        first, both = (c['message_hub']['log_scalars']['train/loss_kpt'].data[0] for c in (before, after))
        assert len(both) == 2 * steps and both[:steps].tolist() == first.tolist()
        assert not torch.equal(*(c['state_dict']['neck.projection.weight'] for c in (before, after)))

    def test_interrupted(self, tiny_config, run_command, tmp_path, monkeypatch):
        def interrupt(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(Runner, 'train', interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_command('train', tiny_config, '--work-dir', tmp_path, '--no-validate')
        assert f'nothing is saved in {tmp_path} yet' in log_of(tmp_path)

    def test_resume_from_a_file(self, trained, steps, tiny_config, run_command, tmp_path):
        path, work_dir = trained / 'epoch_1.pth', tmp_path / 'work'
        flags = ('--resume', path, '--no-validate', '--cfg-options', 'train_cfg.max_epochs=2', 'experiment_name=file')
        run_command('train', tiny_config, '--work-dir', work_dir, *flags)
        assert torch.load(work_dir / 'epoch_2.pth', weights_only=True)['meta']['iter'] == 2 * steps
        assert f'Epoch(train) [2][{steps}/{steps}]' in log_of(work_dir) and 'Epoch(val)' not in log_of(work_dir)


class TestTest:
    def test_the_same_as_the_validation_in_training(self, trained, tested):
        in_training = json.loads((trained / 'val.keypoints.json').read_text())
        assert len(in_training) >= 4
        assert json.loads(tested.predictions.read_text()) == in_training
        logged = [json.loads(line) for line in next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()]
        validation = next(line for line in logged if 'coco/AP' in line)
        assert {name: validation[name] for name in tested.metrics} == pytest.approx(tested.metrics)
        assert {'coco/AP', 'coco/AP .5', 'coco/AR'} <= set(tested.metrics)

    def test_other_weights_give_other_predictions(self, trained, tested, tiny_config, run_command, tmp_path):
        checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
        weights = {name: value.flip(0) if value.ndim else value for name, value in checkpoint['state_dict'].items()}
        torch.save({'state_dict': weights}, tmp_path / 'other.pth')
        options = (f'test_evaluator.outfile_prefix={tmp_path / "other"}', 'experiment_name=other')
        flags = ('--work-dir', tmp_path / 'work', '--dump', tmp_path / 'dump.pkl', '--cfg-options', *options)
        run_command('test', tiny_config, tmp_path / 'other.pth', *flags)
        assert (tmp_path / 'other.keypoints.json').read_text() != tested.predictions.read_text()
        assert (tmp_path / 'dump.pkl').stat().st_size > 1000

    def test_images_of_every_third_prediction(self, tiny_config, tiny_checkpoint, run_command, tmp_path):
        options = ('test_dataloader.batch_size=2', 'experiment_name=interval')
        flags = ('--show-dir', 'images', '--interval', 3, '--dump', tmp_path / 'dump.pkl')
        run_command('test', tiny_config, tiny_checkpoint, '--work-dir', tmp_path, *flags, '--cfg-options', *options)
        samples = pickle.loads((tmp_path / 'dump.pkl').read_bytes())
        assert len(samples) > 6
        drawn = [path.name.rsplit('_', 1)[0] for path in tmp_path.glob('*/images/*.jpg')]
        assert sorted(drawn) == sorted(Path(sample['img_path']).stem for sample in samples[::3])


@pytest.fixture(scope='module')
def first_image(people):
    return people / 'val' / '000000000001.jpg'


@pytest.mark.parametrize('kind', ['folder', 'second image'])
def test_explain_takes_one_image(run_command, first_image, kind):
    folder = ('transpose-r-small_photographs', '--input', first_image.parent)
    several = ('transpose-r-small_photographs', '--input', first_image, first_image)
    words = {'folder': f'--input {folder[-1]} is a folder; give one', 'second image': '--input takes one image, and '}
    with pytest.raises(InputError, match=words[kind]):
        run_command('explain', *(folder if kind == 'folder' else several))


@pytest.fixture(scope='module')
def explain(run_command, tiny_config, tiny_checkpoint, first_image, tmp_path_factory):
    def explain(boxes, *flags, root=None):
        folder = tmp_path_factory.mktemp('explain')
        (folder / 'boxes.json').write_text(json.dumps(boxes))
        root = root or folder / 'out'
        files = ('--input', first_image, '--bboxes', folder / 'boxes.json', '--output-root', root)
        run_command('explain', tiny_config, tiny_checkpoint, *files, *flags)
        return root

    return explain


@pytest.fixture(scope='module')
def explained(explain):
    return explain(BOXES, '--heads', 'all', '--methods', 'rollout', '--kpt-thr', '0.1')


class TestExplain:
    def test_files(self, explained):
        figures = [f'000000000001_person{n}_{kind}.png' for n in (1, 2) for kind in ('dependency', 'affect', 'methods')]
        names = {'000000000001.html', '000000000001.npz', '000000000001_overlays', *figures}
        assert {path.name for path in explained.iterdir()} == names
        overlays = sorted(path.name for path in (explained / '000000000001_overlays').iterdir())
        assert len(overlays) == 17 and overlays[9] == '009_left_wrist.jpg'

    def test_raw_maps_are_the_apis(self, explained, tiny_model, first_image):
        people = explain_topdown(tiny_model, str(first_image), BOXES, affect=True, heads='all', methods=['rollout'])
        with np.load(explained / '000000000001.npz', allow_pickle=False) as file:
            assert file['dependency'].shape == (2, 2, 4, 17, 8, 6)
            for index, person in enumerate(people):
                for name in ('dependency', 'affect', 'keypoints', 'scores', 'crop_to_image', 'cells'):
                    np.testing.assert_allclose(file[name][index], getattr(person, name), rtol=1e-4, atol=1e-6)
                np.testing.assert_allclose(file['relevance_rollout'][index], person.relevance['rollout'], rtol=1e-4)
                np.testing.assert_array_equal(file['uncertain'][index], person.scores < 0.1)
            assert file['names'][10] == 'right_wrist'

    def test_overlay_stays_inside_the_crop(self, explain, first_image, capsys):
        out = explain([[70, 130, 120, 200]], '--no-affect', '--no-flip-test', '--kpt-thr', '2')
        said = capsys.readouterr()
        assert said.out.startswith('1 person: ')
        assert '000000000001.jpg: 17 of 17 keypoints score below 2; is the whole person, head to feet,' in said.err
        assert 'files: 100%' in said.err and '20/20' in said.err  # page, maps, figure and overlays
        overlay = cv2.imread(str(out / '000000000001_overlays' / '000_nose.jpg')).astype(int)
        image = cv2.imread(str(first_image)).astype(int)
        with np.load(out / '000000000001.npz') as file:
            (x1, x2), (y1, y2) = file['crop_to_image'][0] @ [[-0.5, 47.5], [-0.5, 63.5], [1, 1]]
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        outside = (x < x1 - 16) | (x > x2 + 16) | (y < y1 - 16) | (y > y2 + 16)  # beyond outline and mark
        outside[:40] = False  # the caption
        assert outside.sum() > 10_000 and np.abs(overlay - image)[outside].mean() < 3  # encoded once more
        assert np.abs(overlay - image)[~outside].max() > 60

    def test_dependency_alone(self, explain):
        explained = explain(BOXES[:1], '--no-affect', '--no-flip-test', '--cell', 'nearest', '--threshold', '0.01')
        with np.load(explained / '000000000001.npz') as file:
            assert 'affect' not in file and file['cells'].shape == (1, 17, 1, 2)
        assert not (explained / '000000000001_person1_affect.png').exists()

    @pytest.mark.parametrize(
        ('boxes', 'flags', 'words'),
        [
            ([], (), 'boxes.json has no boxes: nobody is in any input; --bboxes whole-image makes one box'),
            ([[500, 5, 600, 60]], (), 'box 0 .* lies outside the image of 240 x 320'),
            (BOXES, ('--methods', 'lime'), "method 'lime' is unknown; choose from attention-1"),
        ],
    )
    def test_mistakes_leave_nothing(self, explain, tmp_path, boxes, flags, words):
        with pytest.raises(InputError, match=words):
            explain(boxes, *flags, root=tmp_path / 'out')
        assert os.listdir(tmp_path) == []

    def test_unwritable_output(self, explain, tmp_path):
        (tmp_path / 'out').write_text('a file')
        with pytest.raises(InputError, match='out is a file, not a folder'):
            explain(BOXES, root=tmp_path / 'out' / 'deeper')
        assert (tmp_path / 'out').read_text() == 'a file'

    def test_checkpoint_of_another_keypoint_count(
        self, run_command, tiny_config, tiny_checkpoint, first_image, tmp_path
    ):
        content = torch.load(tiny_checkpoint, weights_only=False)
        for name in ('weight', 'bias'):
            content['state_dict'][f'head.final_layer.{name}'] = content['state_dict'][f'head.final_layer.{name}'][:14]
        torch.save(content, tmp_path / 'other.pth')
        files = ('--input', first_image, '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
        with pytest.raises(InputError, match='other.pth.*head.final_layer'):
            run_command('explain', tiny_config, tmp_path / 'other.pth', *files)
        assert not (tmp_path / 'out').exists()


class TestExplainDataset:
    def test_interrupted(self, tiny_config, tiny_checkpoint, run_command, tmp_path, monkeypatch, capsys):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr('mmtranspose.commands.explain_dataset.explain_dataset', interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_command('explain-dataset', tiny_config, tiny_checkpoint, '--output-root', tmp_path)
        said = f'what is measured is kept in {tmp_path / "parts"}: the same command goes on\n'
        assert said in capsys.readouterr().err

    def test_two_processes_give_what_one_gives(
        self, tiny_config, tiny_checkpoint, run_command, server, tmp_path, monkeypatch
    ):
        """A small run in one process, then a larger one in one process or in two: the same numbers exactly."""

        def arguments(name):
            flags = ('--methods', 'attention-1', '--batch-size', '2', '--kpt-thr', '-1')
            return tiny_config, tiny_checkpoint, '--output-root', tmp_path / name, *flags

        monkeypatch.setattr('mmtranspose.dataset_explanation.report_files._figures', lambda *_: [])  # of one process
        measured = []  # when all processes have counted what is there
        monkeypatch.setattr(
            'mmtranspose.dataset_explanation.dataset_run.barrier',
            lambda: measured.append(len(list(tmp_path.rglob('*.npz')))),
        )
        few = ('--max-samples', '2', '--faithfulness-samples', '1')
        run_command('explain_dataset', *arguments('one'), *few)
        assert measured == [0]
        shutil.copytree(tmp_path / 'one', tmp_path / 'two')
        more, log = ('--faithfulness-samples', '2'), tmp_path / 'log'
        run_command('explain_dataset', *arguments('one'), *more)
        assert server.run(*arguments('two'), *more, command='explain_dataset', ranks=2, log=log) == [0, 0], (
            log.read_text()
        )
        one, two = (json.loads((tmp_path / name / 'explanation.json').read_text()) for name in ('one', 'two'))
        assert log.read_text().count(f'{one["people"]} people, ') == 1  # rank 0 alone speaks
        assert log.read_text().count('attention of people: 2 found, 3 to measure') == 1
        assert one == two and {row['n'] for row in one['best']} == {2}
        tables = [(tmp_path / name / 'dependency.csv').read_text() for name in ('one', 'two')]
        assert tables[0] == tables[1]

    def test_table_on_the_screen(self, tiny_config, tiny_checkpoint, run_command, tmp_path, capsys):
        flags = ('--max-samples', '2', '--faithfulness-samples', '0', '--pages', '1')
        run_command('explain_dataset', tiny_config, tiny_checkpoint, '--output-root', tmp_path / 'out', *flags)
        printed = capsys.readouterr().out
        assert printed.splitlines()[-1] == f'tables and figures: {tmp_path / "out"}'
        assert (
            printed.startswith('2 people, ') and 'normalised_entropy' in printed and 'AP gained without it' in printed
        )
        assert f'report: {tmp_path / "out" / "report.html"}' in printed.splitlines()
        assert (tmp_path / 'out' / 'report.html').is_file() and len(os.listdir(tmp_path / 'out' / 'report_pages')) == 1
        assert not (tmp_path / 'out' / 'faithfulness.csv').exists()

    def test_validation_set(self, tiny_config, tiny_checkpoint, run_command, tmp_path, capsys):
        few = ('--max-samples', '1', '--faithfulness-samples', '0', '--pages', '0', '--output-root', tmp_path / 'out')
        no_test = ('--cfg-options', 'test_dataloader.dataset.ann_file=none.json')
        run_command('explain_dataset', tiny_config, tiny_checkpoint, '--split', 'val', *few, *no_test)
        assert '1 person, ' in capsys.readouterr().out
        with pytest.raises(InputError, match='none.json'):
            run_command('explain_dataset', tiny_config, tiny_checkpoint, *few, *no_test)
        with pytest.raises(InputError, match='the config has no val_dataloader'):
            run_command(
                'explain_dataset', tiny_config, tiny_checkpoint, '--split', 'val', *few,
                '--cfg-options', 'val_dataloader=None', 'val_cfg=None', 'val_evaluator=None',
            )  # fmt: skip


def test_an_error_is_one_sentence_and_a_code(tmp_path, server):
    files = ('--input', tmp_path / 'none.jpg', '--bboxes', 'whole-image', '--output-root', tmp_path / 'out')
    log = tmp_path / 'log'
    assert server.run('none.py', 'none.pth', *files, command='infer', log=log) == [2]
    assert log.read_text() == f'error: input {tmp_path / "none.jpg"} does not exist\n'
    assert os.listdir(tmp_path) == ['log']
