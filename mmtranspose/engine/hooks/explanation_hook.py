"""What predictions depend on, seen while a model is trained."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS

from mmtranspose.acceleration import AcceleratedPoseEstimator, decelerate
from mmtranspose.crops.crop_affine import record_affines
from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, explain_batch
from mmtranspose.explain.attention import DIRECTIONS
from mmtranspose.explain.choices import check_choice
from mmtranspose.explain.explainer import check_options
from mmtranspose.visualization import explanation_figure


@HOOKS.register_module()
class ExplanationHook(Hook):
    """Gives the figure (layers x keypoints) of the first validation samples to the runner's visualiser, from rank 0.

    The visualiser's backends (local files, TensorBoard, W&B) get one image a sample and validation, called
    ``explanation_val_N``, at the step of the training iteration. From a config alone::

        custom_hooks = [dict(type='ExplanationHook', num_samples=4)]

    Args:
        num_samples (int): Samples, counted over rank 0's batches.
        interval (int): Validations from one drawn to the next.
        direction (str): ``'dependency'`` or ``'affect'``.
        threshold (float | None): Weights at or below it are not drawn.
        score_thr (float): Keypoints with a lower score are marked.

    Raises:
        ValueError: ``num_samples`` or ``interval`` is less than 1, or ``direction`` is unknown.
        TypeError: When a run begins: the model has no :class:`TransPoseNeck`, or is compiled.
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
            raise ValueError(f'num_samples={num_samples} and interval={interval} must be at least 1')
        check_choice('direction', direction, DIRECTIONS)
        self.num_samples = num_samples
        self.interval = interval
        self.direction = direction
        self.threshold = threshold
        self.options = ExplainOptions(affect=direction == 'affect', score_thr=score_thr)
        self.validations = 0
        self.drawn = 0

    def before_run(self, runner) -> None:
        """Check the model, before hours of training."""
        check_options(_estimator(runner), self.options)

    def before_val_epoch(self, runner) -> None:
        """Begin to count anew; let the dataset record how crops are cut, before the loader's workers start."""
        record_affines(runner.val_dataloader.dataset)
        self.drawn = 0 if self.validations % self.interval == 0 else self.num_samples
        self.validations += 1

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Explain and draw what is still wanted of this batch."""
        wanted = self.num_samples - self.drawn
        if runner.rank != 0 or wanted <= 0:
            return
        batch = {key: values[:wanted] for key, values in data_batch.items()}
        meta = runner.val_dataloader.dataset.metainfo
        try:
            explanations = explain_batch(_estimator(runner), batch, self.options, meta)
        except InputError as error:  # a model that has diverged: an image is no reason to end a run
            runner.logger.warning(f'nothing is explained at this validation: {error}')
            self.drawn = self.num_samples
            return
        for explanation in explanations:
            figure = explanation_figure(explanation, self.direction, threshold=self.threshold)
            runner.visualizer.add_image(f'explanation_val_{self.drawn}', figure[..., ::-1], step=runner.iter)
            self.drawn += 1


def _estimator(runner):
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return decelerate(model) if isinstance(model, AcceleratedPoseEstimator) else model
