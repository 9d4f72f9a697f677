"""The settings of ``mmtranspose explain-dataset``: what is measured, on how many people, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mmtranspose.errors import InputError, require_at_least, require_choice, require_finite
from mmtranspose.explain.target import CELLS


@dataclass(frozen=True)
class DatasetExplanationSettings:
    """What :func:`mmtranspose.dataset_explanation.explain_dataset` measures.

    Attributes:
        max_samples (int | None): Number of people, drawn from the dataset by ``seed``; None takes all.
        faithfulness_samples (int): Number of people, the first of them, whose explanations are tested for
            faithfulness, which takes hundreds of passes for each person and method.
        methods (tuple[str, ...]): Methods to test; empty: all that need no package besides PyTorch, and the controls.
        cell (str): ``'bilinear'`` or ``'nearest'``; see :class:`~mmtranspose.explain.ExplainOptions`.
        score_thr (float): Faithfulness is tested for keypoints with at least this score.
        oks_level (float): A keypoint's disc ends where OKS has fallen to this, between 0 and 1.
        steps (int): Steps of deletion and insertion from nothing to the whole image.
        ablation_steps (int): Shares of the tokens that are replaced, or whose edges are cut, between none and all.
        sensitivity_samples (int): Changes of the image that nobody sees which are tried on each method.
        percentiles (tuple[float, ...]): Shares of the cells that ROAD replaces, in percent, above 0 and up to 100.
        batch_size (int): People that go through the network together; it changes no result, but for rounding.
        seed (int): Seed of everything that is drawn: people, random orders, weights, noise.

    Raises:
        InputError: A number is out of range, or ``cell`` is unknown.
    """

    max_samples: int | None = None
    faithfulness_samples: int = 32
    methods: tuple[str, ...] = ()
    cell: str = 'bilinear'
    score_thr: float = 0.3
    oks_level: float = 0.5
    steps: int = 16
    ablation_steps: int = 8
    sensitivity_samples: int = 4
    percentiles: tuple[float, ...] = (10, 30, 50, 70, 90)
    batch_size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        least = dict(max_samples=1, faithfulness_samples=0, batch_size=1, steps=1, seed=0)
        for name, value in (least | dict(ablation_steps=1, sensitivity_samples=1)).items():
            require_at_least(name, getattr(self, name), value)
        require_choice('cell', self.cell, CELLS)
        require_finite('score_thr', self.score_thr)
        if not self.percentiles or not all(0 < percentile <= 100 for percentile in self.percentiles):
            raise InputError(f'percentiles={self.percentiles} must lie above 0 and up to 100')
        if not 0 < self.oks_level < 1:
            raise InputError(f'oks_level={self.oks_level} must lie between 0 and 1')

    def as_dict(self) -> dict[str, object]:
        """Give the settings as JSON has them, with lists in place of tuples."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
