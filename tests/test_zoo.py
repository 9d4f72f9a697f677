"""The model zoo: configs, metafiles, tables, links and the datasets to download say the same."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from all_configs import CONFIGS
from all_configs import unchanged as config
from conftest import ROOT
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.infer import BaseInferencer
from zoo_pages import (
    METADATA,
    METAFILES,
    METRICS,
    MODELS,
    RELEASED,
    SHIPPED,
    SOURCES,
    input_size,
    metrics_of,
    read_tables,
    results_of,
)

from mmtranspose.commands.test import main as evaluate
from mmtranspose.errors import InputError
from mmtranspose.loading import zoo
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.loading.closest_model import build_empty
from mmtranspose.loading.init_model import init_model
from mmtranspose.loading.leaf_datasets import leaf_datasets

# Configs that are in no metafile: a template for one's own data, and the test-dev configs, which test the models of the
# configs without '-test-dev' in their name
TEMPLATE = 'td-hm_transpose-r-a3_finetune-1xb28-50e_custom-256x192'
TEST_DEV = '-test-dev-'

PAGES = sorted(path.with_suffix('.md') for path in METAFILES)

DATASETS = {
    'CocoDataset': 'COCO',
    'CocoWholeBodyDataset': 'COCO-WholeBody',
    'MpiiDataset': 'MPII',
    'AicDataset': 'AI Challenger',
    'LspetDataset': 'LSPET',
    'CrowdPoseDataset': 'CrowdPose',
    'OCHumanDataset': 'OCHuman',
    'AP10KDataset': 'AP-10K',
    'OneHand10KDataset': 'OneHand10K',
}
BORROWED_FORMATS = dict.fromkeys(('data/synthetic', 'data/drawn'), 'Synthetic people')  # read by CocoDataset


def link_of(row):
    """The config that a table's row links to, as a path; None for another row."""
    found = re.match(r'\[[^]]+\]\(([^)]+\.py)\)', next(iter(row.values())))
    return Path(found.group(1)) if found else None


def model_of(row):
    """The name of the model that a table's row is about."""
    return link_of(row).stem.replace(TEST_DEV, '-')


class TestMetafiles:
    def test_index_names_every_metafile_once(self):
        index = load(str(ROOT / 'model-index.yml'))
        assert index.keys() == {'Import'}
        assert sorted(index['Import']) == sorted(str(path.relative_to(ROOT)) for path in METAFILES)
        assert index['Import'][0].endswith('coco/transpose_coco.yml')  # of equal models the first one is suggested

    def test_every_config_is_in_one_metafile(self):
        listed = Counter(model['Name'] for content in METADATA.values() for model in content['Models'])
        tested = {name.replace(TEST_DEV, '-') for name in CONFIGS if TEST_DEV in name}
        assert listed == Counter(name for name in CONFIGS if name != TEMPLATE and TEST_DEV not in name)
        assert tested == {name for name, model in MODELS.items() if 'COCO test-dev2017' in results_of(model)}

    @pytest.mark.parametrize('metafile', METAFILES, ids=lambda path: path.stem)
    def test_models_lie_beside_their_metafile(self, metafile):
        for model in METADATA[metafile]['Models']:
            assert ROOT / model['Config'] == metafile.parent / f'{model["Name"]}.py' == CONFIGS[model['Name']]

    def test_collections_are_defined_once(self):
        defined = Counter(one['Name'] for content in METADATA.values() for one in content.get('Collections', []))
        assert defined == {'TransPose': 1}
        assert {model['In Collection'] for model in MODELS.values()} == set(defined)
        for metafile, content in METADATA.items():
            for collection in content.get('Collections', []):
                assert (metafile.parent / collection['README']).is_file()

    def test_names_are_unique_and_not_mmposes(self):
        aliases = [alias for model in MODELS.values() for alias in model['Alias']]
        assert all(re.fullmatch(r'transpose-[a-z0-9_-]+', alias) for alias in aliases)
        assert len(aliases) == len(MODELS)
        ours = [*MODELS, *aliases]
        theirs = Path(BaseInferencer._get_repo_or_mim_dir('mmpose'))
        for metafile in load(str(theirs / 'model-index.yml'))['Import']:
            for model in load(str(theirs / metafile))['Models']:
                alias = model.get('Alias', [])
                ours += [model['Name'].lower(), *([alias] if isinstance(alias, str) else alias)]
        assert len(ours) > 2 * len(MODELS) + 100
        assert {name for name, times in Counter(ours).items() if times > 1} & {*MODELS, *aliases} == set()

    def test_aliases_of_the_paper(self):
        for alias in ('r-a3', 'r-a4', 'h-s', 'h-a4', 'h-a6'):
            (name,) = [name for name in RELEASED if f'_transpose-{alias}_' in name]
            assert MODELS[name]['Alias'] == [f'transpose-{alias}']

    @pytest.mark.parametrize('name', MODELS)
    def test_metadata_agrees_with_the_config(self, name):
        cfg, metadata = config(name), MODELS[name]['Metadata']
        datasets = [dataset for _, dataset, _ in leaf_datasets(cfg.train_dataloader.dataset)]
        trained_on = [BORROWED_FORMATS.get(one.data_root.rstrip('/'), DATASETS[one.type]) for one in datasets]
        trained_on = list(dict.fromkeys(trained_on))
        if cfg.get('load_from'):
            (start,) = [model for model in RELEASED.values() if model['Weights'] == cfg.load_from]
            trained_on.insert(0, start['Metadata']['Training Data'])
        listed = metadata['Training Data']
        assert trained_on == (listed if isinstance(listed, list) else [listed])
        stem = {'ResNetSmall': 'ResNet', 'HRNetSmall': 'HRNet'}[cfg.model.backbone.type]
        assert metadata['Architecture'] == ['TransPose', stem]

    @pytest.mark.parametrize('name', MODELS)
    def test_mmposes_inferencers_find_the_dataset(self, name):
        cfg = config(name)
        used = {dataset.type for _, dataset, _ in leaf_datasets(cfg.test_dataloader.dataset)}
        assert used == {cfg.dataset_type}

    def test_what_has_results_says_whose(self):
        for model in MODELS.values():
            assert ('Results' in model) == ('Results From' in model['Metadata'])
            assert model['Metadata'].get('Results From', SOURCES[0]) in SOURCES
            for metrics in results_of(model).values():
                assert metrics and all(name in METRICS and 0 < value < 1 for name, value in metrics.items())


class TestReleasedModels:
    @pytest.mark.parametrize('name', RELEASED)
    def test_weights_are_of_this_variant(self, name):
        url = MODELS[name]['Weights']
        release = r'https://github\.com/yangsenius/TransPose/releases/download/Hub/tp_(r|h_\d+)_(\d+)x(\d+)_'
        stem, *numbers = re.fullmatch(release + r'enc(\d+)_d(\d+)_h(\d+)_mh(\d+)\.pth', url).groups()
        model, (width, height) = config(name).model, input_size(name)
        backbone = model.backbone
        assert stem == ('r' if backbone.type == 'ResNetSmall' else f'h_{backbone.arch.removeprefix("w")}')
        neck = (model.neck[key] for key in ('num_layers', 'embed_dims', 'feedforward_channels', 'num_heads'))
        assert [int(number) for number in numbers] == [height, width, *neck]

    @pytest.mark.parametrize('name', RELEASED)
    def test_parameters(self, name):
        model, (width, height) = build_empty(str(CONFIGS[name])), input_size(name)
        with torch.no_grad():
            rows, columns = model.backbone(torch.empty(1, 3, height, width, device='meta'))[-1].shape[-2:]
        table = rows * columns * config(name).model.neck.embed_dims  # of positions; computed here
        assert sum(one.numel() for one in model.parameters()) + table == MODELS[name]['Metadata']['Parameters']


class TestShippedModels:
    @pytest.mark.parametrize('name', SHIPPED)
    def test_weights_are_of_this_variant(self, name):
        file = ROOT / MODELS[name]['Weights']
        assert file.parent == CONFIGS[name].parent and file.stem == MODELS[name]['Alias'][0]
        assert file.stat().st_size <= 8e6
        model = init_model(MODELS[name]['Alias'][0])  # refuses weights that are missing, left over or not finite
        assert sum(one.numel() for one in model.parameters()) == MODELS[name]['Metadata']['Parameters']
        saved = Checkpoint.read(str(file))
        assert {tensor.dtype for tensor in saved.weights.values() if tensor.is_floating_point()} == {torch.float16}
        assert Config.fromstring(saved.meta['cfg'], '.py').model == config(name).model
        assert model.dataset_meta['keypoint_id2name'] == saved.meta['dataset_meta']['keypoint_id2name']

    def test_there_are_some(self):
        assert SHIPPED


class TestDefaultWeights:
    @pytest.mark.parametrize('name', [*RELEASED, *SHIPPED])
    def test_by_name_and_by_file(self, name):
        model = MODELS[name]
        weights = model['Weights'] if name in RELEASED else str(zoo.MIM / model['Weights'])
        for given in (name, model['Alias'][0], ROOT / model['Config'], str(ROOT / model['Config'])):
            assert zoo.default_weights(given) == weights

    def test_none(self, tmp_path):
        copy = tmp_path / Path(MODELS['td-hm_transpose-r-a3_1xb28-230e_coco-256x192']['Config']).name
        copy.write_text('')  # somebody's own config, though of a name that we have
        for given in ('transpose-r-tiny_synthetic', str(copy)):
            with pytest.raises(InputError, match='comes without weights: name a checkpoint after the config'):
                zoo.default_weights(given)

    def test_files_of_the_package_are_found_in_it(self, monkeypatch):
        monkeypatch.setattr(
            zoo, 'load', lambda path: {'Import': ['x'], 'Models': [{'Config': 'a.py', 'Weights': 'b.pth'}]}
        )
        assert zoo.models() == [dict(Config=str(zoo.MIM / 'a.py'), Weights=str(zoo.MIM / 'b.pth'))]

    def test_a_command_without_a_checkpoint(self, monkeypatch):
        monkeypatch.setattr('mmtranspose.commands.test.test_config', lambda args: pytest.fail(args.checkpoint))
        with pytest.raises(pytest.fail.Exception, match='tp_r_256x192_enc3_d256_h1024_mh8.pth'):
            evaluate(['transpose-r-a3'])
        with pytest.raises(InputError, match='transpose-r-tiny_synthetic comes without weights'):
            evaluate(['transpose-r-tiny_synthetic'])


class TestTables:
    @pytest.mark.parametrize('page', PAGES, ids=lambda path: path.stem)
    def test_page_and_metafile_agree(self, page):
        models = {model['Name']: model for model in METADATA[page.with_suffix('.yml')]['Models']}
        results, untrained = {}, []
        for heading, row in read_tables(page):
            name, dataset = model_of(row), heading.removeprefix('Results on ')
            if dataset == heading:
                assert heading == 'Not trained yet'
                untrained.append(name)
            else:
                assert (TEST_DEV in link_of(row).name) == (dataset == 'COCO test-dev2017')
                assert results.setdefault(name, {}).setdefault(dataset, metrics_of(row)) == metrics_of(row)
            self.check_facts(row, models[name])
        assert results == {name: results_of(model) for name, model in models.items() if 'Results' in model}
        assert Counter(untrained) == Counter(name for name, model in models.items() if 'Results' not in model)

    @staticmethod
    def check_facts(row, model):
        """The columns that are no metrics."""
        width, height = input_size(model['Name'])
        assert row['Input Size'] == f'{height}x{width}'
        if 'Params' in row:
            assert row['Params'] == f'{model["Metadata"]["Parameters"] / 1e6:.1f} M'
        if 'ckpt' in row:
            weights = model['Weights'] if model['Name'] in RELEASED else Path(model['Weights']).name
            assert row['ckpt'] == f'[ckpt]({weights})'
        if 'Training Data' in row:
            listed = model['Metadata']['Training Data']
            assert row['Training Data'] == (listed if isinstance(listed, str) else ', '.join(listed))

    @pytest.mark.parametrize('page', PAGES, ids=lambda path: path.stem)
    def test_every_result_on_a_page_says_whose(self, page):
        models = METADATA[page.with_suffix('.yml')]['Models']
        for section in re.split(r'^## ', page.read_text(encoding='utf-8'), flags=re.MULTILINE)[1:]:
            said = [source for source in SOURCES if source in section.lower()]
            linked = [model for model in models if f'{model["Name"]}.py' in section.replace(TEST_DEV, '-')]
            expected = {model['Metadata'].get('Results From') for model in linked}
            assert linked and expected == (set(said) or {None})

    def test_readme_agrees_with_the_metafiles(self):
        seen = {}
        for _, row in read_tables(ROOT / 'README.md'):
            if link_of(row) is None or model_of(row) not in MODELS or not metrics_of(row):
                continue
            model = MODELS[model_of(row)]
            dataset = 'COCO test-dev2017' if TEST_DEV in link_of(row).name else model['Results'][0]['Dataset']
            results = results_of(model)[dataset]
            percent = {name: round(100 * results[name], 1) for name in metrics_of(row)}
            assert metrics_of(row) == percent
            if 'params' in row:
                assert row['params'] == f'{model["Metadata"]["Parameters"] / 1e6:.1f} M'
            seen.setdefault(dataset, set()).add(model['Name'])
        assert seen['COCO'] == set(RELEASED)

    def test_measured_figures_agree_with_docs(self):
        (metrics,) = results_of(MODELS['td-hm_transpose-r-tiny_1xb16-10e_synthetic-128x96']).values()
        figures = [f'{metrics[name]:.3f}' for name in ('AP', 'AP@0.5', 'AP@0.75', 'AR')]
        readme = re.sub(r'\s+', ' ', (ROOT / 'README.md').read_text(encoding='utf-8'))
        assert 'AP {}, AP50 {}, AP75 {}, AR {}'.format(*figures) in readme
        assert ' / '.join(figures) in (ROOT / 'docs' / 'benchmark_results.md').read_text(encoding='utf-8')

    def test_figures_of_the_photographs_agree_with_docs(self):
        (model,) = SHIPPED.values()
        results = results_of(model)
        for metrics in results.values():
            for value in metrics.values():
                for page in ('README.md', 'docs/photographs.md'):
                    assert f'{value:.3f}' in (ROOT / page).read_text(encoding='utf-8'), (page, value)


INDEX = load(str(ROOT / 'dataset-index.yml'))
# What OpenDataLab delivers below NAME/raw: archives and files in them, as far as our configs need them
DELIVERED = {
    'coco2017': {
        'Images/train2017.zip': ['train2017/1.jpg'],
        'Images/val2017.zip': ['val2017/2.jpg'],
        'Images/test2017.zip': ['test2017/3.jpg'],
        'Annotations/annotations_trainval2017.zip': ['annotations/person_keypoints_train2017.json'],
        'Annotations/image_info_test2017.zip': ['annotations/image_info_test-dev2017.json'],
    },
    'mpii': {'MPII_Human_Pose.tar.gz': ['annotations/mpii_train.json', 'images/1.jpg']},
    'aic': {
        'AI_Challenger.tar.gz': [
            'annotations/aic_train.json',
            'ai_challenger_keypoint_train_20170902/keypoint_train_images_20170902/1.jpg',
            'ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911/2.jpg',
        ]
    },
    'crowdpose': {'CrowdPose.tar.gz': ['annotations/mmpose_crowdpose_trainval.json', 'images/1.jpg']},
    'ap10k': {'AP-10K.tar.gz.00': ['annotations/ap10k-train-split1.json', 'data/1.jpg']},
    'onehand10k': {
        'OneHand10K.tar.gz.00': ['annotations/onehand10k_train.json', 'Train/source/0.jpg', 'Test/source/0.jpg']
    },
}
needs_linux = pytest.mark.skipif(sys.platform != 'linux', reason='mim downloads datasets on Linux only')


def pack(archive, files, folder):
    """An archive of files that contain their own names, in MIM's forms: zip, tar.gz, a tar in a tar.gz in two parts."""
    for file in files:
        path = folder / ('' if archive.suffix == '.zip' else 'set') / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    archive.parent.mkdir(parents=True, exist_ok=True)
    if archive.suffix == '.zip':
        with zipfile.ZipFile(archive, 'w') as opened:
            for file in files:
                opened.write(folder / file, file)
        return
    with tarfile.open(folder / 'set.tar.00', 'w') as opened:
        opened.add(folder / 'set', 'set')
    nested = archive.suffix == '.00'
    with tarfile.open(folder / 'all.tar.gz', 'w:gz') as opened:
        opened.add(folder / ('set.tar.00' if nested else 'set'), 'top/set.tar.00' if nested else 'set')
    content = (folder / 'all.tar.gz').read_bytes()
    cut = len(content) // 2 if nested else len(content)
    archive.write_bytes(content[:cut])
    if nested:
        archive.with_suffix('.01').write_bytes(content[cut:])


def deliver(key, root, prefix=''):
    """Lay out a download of the dataset ``key`` below ``root``."""
    for number, (archive, files) in enumerate(DELIVERED[key].items()):
        pack(root / f'{prefix}{INDEX[key]["dataset"]}' / 'raw' / archive, files, root / f'packing{number}')


def preprocess(key, *arguments):
    command = ['bash', str(ROOT / INDEX[key]['script']), *map(str, arguments)]
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'  # a python3 that is there
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, PATH=path))


class TestDatasets:
    def test_index_is_of_data_that_configs_use(self):
        used = {
            dataset.data_root.rstrip('/')
            for name in CONFIGS
            for _, dataset, _ in leaf_datasets(config(name).train_dataloader.dataset)
            if name != TEMPLATE
        }
        assert set(INDEX) == set(DELIVERED)
        for key, entry in INDEX.items():
            assert sorted(entry) == ['data_root', 'dataset', 'download_root', 'script']
            assert entry['data_root'] in used
            assert (ROOT / entry['script']).name == f'preprocess_{key}.sh'

    @pytest.mark.parametrize('key', INDEX)
    def test_folders_that_configs_name_are_delivered(self, key):
        folders = {file.split('/')[0] for files in DELIVERED[key].values() for file in files}
        wanted = set()
        for name in CONFIGS:
            for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
                for _, dataset, _ in leaf_datasets(config(name)[loader].dataset):
                    if dataset.data_root.rstrip('/') == INDEX[key]['data_root']:
                        wanted |= {dataset.ann_file.split('/')[0], dataset.data_prefix.img.split('/')[0]} - {''}
        assert 'annotations' in wanted and wanted <= folders

    @needs_linux
    @pytest.mark.parametrize('prefix', ['', 'OpenDataLab___'])
    @pytest.mark.parametrize('key', INDEX)
    def test_script_lays_data_out(self, key, prefix, tmp_path):
        deliver(key, tmp_path, prefix)
        target = tmp_path / 'data' / 'set'
        done = preprocess(key, tmp_path, target)
        assert done.returncode == 0, done.stderr
        files = [file for files in DELIVERED[key].values() for file in files]
        assert sorted(str(path.relative_to(target)) for path in target.rglob('*') if path.is_file()) == sorted(files)
        assert all((target / file).read_text() == file for file in files)
        assert {path.name for path in target.iterdir()} == {file.split('/')[0] for file in files}

    @needs_linux
    def test_script_names_what_is_wrong(self, tmp_path):
        target = tmp_path / 'data'
        usage, absent = preprocess('mpii', tmp_path), preprocess('mpii', tmp_path, target)
        deliver('mpii', tmp_path)
        (target / 'images').mkdir(parents=True)
        full = preprocess('mpii', tmp_path, target)
        pack(tmp_path / 'MPII_Human_Pose' / 'raw' / 'MPII_Human_Pose.tar.gz', ['images/1.jpg'], tmp_path / 'other')
        partial = preprocess('mpii', tmp_path, tmp_path / 'new')
        assert [done.returncode for done in (usage, absent, full, partial)] == [2, 2, 2, 2]
        assert usage.stderr.startswith('two arguments are needed: DOWNLOAD_ROOT')
        assert absent.stderr == (
            f'{tmp_path} has neither MPII_Human_Pose/raw nor OpenDataLab___MPII_Human_Pose/raw: '
            'download MPII_Human_Pose first\n'
        )
        assert full.stderr == f'{target}/images exists already: move it away, or choose another DATA_ROOT\n'
        assert partial.stderr == (
            'no folder in the archives of MPII_Human_Pose has annotations images; at the top are: set\n'
        )
        assert list((tmp_path / 'new').iterdir()) == []
