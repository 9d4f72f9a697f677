"""What hooks and schedulers watch is checked before training: the metric is given, and the better counts as better."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmpose.evaluation.metrics import AUC, EPE, MPJPE, CocoMetric, PCKAccuracy

from mmtranspose.engine.watched_metrics import check_watched
from mmtranspose.errors import InputError

MANY = 'choose from coco/AP'


def check(metrics, hooks=(), schedulers=()):
    built = [(CheckpointHook if 'save_best' in hook else EarlyStoppingHook)(**hook) for hook in hooks]
    own = {f'own{number}': ConfigDict(hook) for number, hook in enumerate(hooks)}
    cfg = SimpleNamespace(filename='a.py', get=dict(default_hooks=own).get)
    plateau = [(f'param_scheduler.{number}', SimpleNamespace(**one)) for number, one in enumerate(schedulers)]
    check_watched(cfg, Evaluator([metric() for metric in metrics]), built, plateau)


@pytest.mark.parametrize(
    ('metrics', 'hook'),
    [
        ([CocoMetric], dict(save_best='coco/AP', rule='greater')),
        ([CocoMetric], dict(save_best='auto', rule='greater')),
        ([CocoMetric], dict(save_best='auto', greater_keys=['AP'])),
        ([CocoMetric, EPE], dict(save_best=['EPE', 'coco/AR'], rule=['less', 'greater'])),
        ([AUC, EPE], dict(save_best='auto')),  # mmengine knows that AUC is to be greater
        ([EPE], dict(save_best='EPE', less_keys='EPE')),
        ([CocoMetric], dict(save_best=None)),
        ([MPJPE, EPE], dict(save_best='MPJPE_walking', rule='greater')),  # whose names are not known
        ([CocoMetric], dict(monitor='coco/AP', rule='greater')),
        ([EPE], dict(monitor='EPE', rule='less')),
    ],
)
def test_what_is_right(metrics, hook):
    check(metrics, [hook])


@pytest.mark.parametrize(
    ('metrics', 'hook', 'words'),
    [
        ([CocoMetric], dict(save_best='PCK', rule='greater'), f"save_best='PCK' is not a metric that .* gives; {MANY}"),
        ([PCKAccuracy], dict(save_best=['PCK', 'AUC'], rule='greater'), "save_best='AUC' is not a metric .* from PCK$"),
        ([CocoMetric], dict(save_best='auto'), "rule=None, but a greater coco/AP is better; set it to 'greater'"),
        ([EPE], dict(save_best='auto'), "rule=None, but a smaller EPE is better; set it to 'less'"),
        (
            [EPE],
            dict(save_best='auto', rule='greater'),
            "rule='greater', but a smaller EPE is better; set it to 'less'",
        ),
        ([EPE], dict(save_best='EPE', rule='greater'), "rule='greater', but a smaller EPE is better; set it to 'less'"),
        ([CocoMetric], dict(save_best='coco/AP', rule='less'), "rule='less', but a greater coco/AP is better"),
        (
            [CocoMetric, EPE],
            dict(save_best=['coco/AP', 'EPE'], rule='greater'),
            "rule='greater', but a smaller EPE is better",
        ),
        ([], dict(save_best='auto'), "save_best='auto', but val_evaluator gives no metric; set it to None"),
        ([], dict(save_best='PCK', rule='greater'), "save_best='PCK' is not a metric .*; choose from none"),
        ([CocoMetric], dict(monitor='coco/mAP'), "monitor='coco/mAP' is not a metric .*; did you mean coco/AP"),
        ([EPE], dict(monitor='EPE', rule='greater'), "rule='greater', but a smaller EPE is better"),
    ],
)
def test_what_is_wrong(metrics, hook, words):
    other = dict(save_best=metrics[0]().prefix and 'coco/AR', rule='greater') if metrics else dict(save_best=None)
    with pytest.raises(InputError, match=f'config a.py: default_hooks.own1.{words}'):
        check(metrics, [other, hook])


@pytest.mark.parametrize(
    ('scheduler', 'words'),
    [
        (dict(monitor='loss', rule='less'), f"monitor='loss' is not a metric that val_evaluator gives; {MANY}"),
        (dict(monitor='coco/AP', rule='less'), "rule='less', but a greater coco/AP is better; set it to 'greater'"),
    ],
)
def test_schedulers(scheduler, words):
    right = dict(monitor='coco/AP', rule='greater')
    check([CocoMetric], schedulers=[right])
    with pytest.raises(InputError, match=f'config a.py: param_scheduler.1.{words}'):
        check([CocoMetric], schedulers=[right, scheduler])


def test_training_does_not_begin(tiny_config, run_command, tmp_path):
    """The rule ``'greater'`` comes from the base of the config, and would have kept the worst checkpoint."""
    cfg = Config.fromfile(tiny_config)
    cfg.val_evaluator, cfg.val_dataloader.dataset.bbox_file = dict(type='EPE'), None
    cfg.default_hooks.checkpoint.save_best = 'EPE'
    cfg.dump(tmp_path / 'a.py')
    with pytest.raises(InputError, match="default_hooks.checkpoint.rule='greater', but a smaller EPE is better"):
        run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work')
    cfg.default_hooks.checkpoint.rule, cfg.param_scheduler = 'less', [dict(type='ReduceOnPlateauLR')]
    cfg.dump(tmp_path / 'a.py')
    with pytest.raises(InputError, match="param_scheduler.monitor='loss' is not a metric .*; choose from EPE$"):
        run_command('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'work')
    assert not list((tmp_path / 'work').glob('*.pth'))
