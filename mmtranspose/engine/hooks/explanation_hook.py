"""Figures of what predictions depend on, drawn while a model is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from mmtranspose.acceleration import AcceleratedPoseEstimator, decelerate
from mmtranspose.crops.crop_affine import record_affines
from mmtranspose.errors import InputError, require_choice
from mmtranspose.explain import Explainer, ExplainOptions
from mmtranspose.explain.attention import DIRECTIONS
from mmtranspose.explain.explainer import require_explainable
from mmtranspose.models.unwrapping import unwrapped
from mmtranspose.typing import PoseEstimator
from mmtranspose.visualization import explanation_figure
from mmtranspose_cli.terminal import printable


@HOOKS.register_module()
class ExplanationHook(Hook):
    """Draws the explanation figure (layers x keypoints) of the first validation samples.

    Rank 0 gives the figures to the runner's visualiser. Its backends (local files, TensorBoard, W&B) get one image for
    each sample and validation, called ``explanation_val_N``, at the step of the training iteration. A config needs only
    this::

        custom_hooks = [dict(type='ExplanationHook', num_samples=4)]

    Args:
        num_samples (int): Samples to draw at each validation, counted over rank 0's batches.
        interval (int): Draw at every ``interval``-th validation, starting with the first.
        direction (str): ``'dependency'`` or ``'affect'``.
        threshold (float | None): Do not draw weights at or below it.
        score_thr (float): Mark keypoints with a lower score.

    Raises:
        InputError: ``num_samples`` or ``interval`` is less than 1, or ``direction`` is unknown.
        UnsupportedModelError: When a run begins: the model has no :class:`TransPoseNeck`, or is compiled.
    """

    priority = 'LOW'

    def __init__(
        self,
        num_samples: int = 4,
        interval: int = 1,
        direction: str = 'dependency',
        threshold: float | None = None,
        score_thr: float = 0.3,
    ):
        if num_samples < 1 or interval < 1:
            raise InputError(f'num_samples={num_samples} and interval={interval} must be at least 1')
        require_choice('direction', direction, DIRECTIONS)
        self.num_samples = num_samples
        self.interval = interval
        self.direction = direction
        self.threshold = threshold
        self.options = ExplainOptions(affect=direction == 'affect', score_thr=score_thr)
        self.explainer: Explainer | None = None
        self.validations = 0
        self.drawn = 0

    def before_run(self, runner: Runner) -> None:
        """Check the model before hours of training."""
        require_explainable(_estimator(runner), self.options)

    def before_val_epoch(self, runner: Runner) -> None:
        """Start counting samples, and make the dataset record how it cuts crops before the loader's workers start."""
        dataset = runner.val_dataloader.dataset
        record_affines(dataset)
        self.explainer = Explainer(_estimator(runner), self.options, dataset.metainfo)
        self.drawn = 0 if self.validations % self.interval == 0 else self.num_samples
        self.validations += 1

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Explain and draw the samples of this batch that are still to be drawn."""
        wanted = self.num_samples - self.drawn
        if runner.rank != 0 or wanted <= 0 or self.explainer is None:
            return
        batch = {key: values[:wanted] for key, values in data_batch.items()}
        try:
            explanations = self.explainer(batch)
        except InputError as error:  # a model that has diverged: a figure is no reason to end a run
            runner.logger.warning(printable(f'nothing is explained at this validation: {error}'))
            self.drawn = self.num_samples
            return
        for explanation in explanations:
            figure = explanation_figure(explanation, self.direction, threshold=self.threshold)
            runner.visualizer.add_image(f'explanation_val_{self.drawn}', figure[..., ::-1], step=runner.iter)
            self.drawn += 1


def _estimator(runner: Runner) -> PoseEstimator:
    model = unwrapped(runner.model)
    return decelerate(model) if isinstance(model, AcceleratedPoseEstimator) else model
