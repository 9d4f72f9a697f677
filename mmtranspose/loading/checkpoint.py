"""Checkpoints: read without running code, compared with a model, loaded into it."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmtranspose.compat.bare_state_dict import state_dict_of
from mmtranspose.compat.upstream import load_checkpoint_to_model
from mmtranspose.errors import InputError
from mmtranspose.loading.checkpoint_content import read_content
from mmtranspose.loading.closest_model import looks_like
from mmtranspose.loading.weights_comparison import WeightsComparison, compare, non_finite, shortlist, weights_digest
from mmtranspose.models.released_weights import adopt, is_released
from mmtranspose.typing import PathLike, PoseEstimator
from mmtranspose_cli.terminal import printable

DIGEST = 'weights_digest'  # in meta: what weights_digest() said of the state dict when it was written
BIAS = 'head.final_layer.bias'  # has one number for each keypoint
LAST_LAYER = {BIAS, 'head.final_layer.weight'}
ADVICE = 'To start from what fits (transfer to other keypoints), use --allow-partial.'


class Checkpoint:
    """The content of a checkpoint file: the weights of a model, and what the file says about them.

    A checkpoint is a state dict (names to tensors), or a dict with ``state_dict`` and ``meta``. It may be *released*:
    the authors of TransPose published weights whose tensors have other names than in this package, as
    ``reduce.weight`` for ``neck.projection.weight``. All methods take both kinds of names::

        checkpoint = Checkpoint.read('tp_r_256x192.pth')
        checkpoint.require_match(model)
        checkpoint.load_into(model)

    Args:
        path (str | Path): The file or URL, for messages.
        content (dict): What the file holds.

    Attributes:
        path (str): The file or URL; every error names it.
        content (dict): All that the file holds, as the optimizer's state of a training run.
        weights (dict[str, Tensor]): Dense tensors by the names that the file has, without the ``module.`` that a
            wrapper for distributed training puts before them.

    Raises:
        InputError: The content is no dict, has no weights, or has something else among them.
    """

    def __init__(self, path: PathLike, content: dict[str, Any]):
        self.path = str(path)
        self.content = content
        self.weights: dict[str, Tensor] = _weights(self.path, content)

    @classmethod
    def read(cls, path: PathLike, allow_non_finite: bool = False) -> Checkpoint:
        """Read a checkpoint onto the CPU, with ``weights_only=True``, so that nothing in the file can run code.

        Args:
            path (str | Path): A ``.pth`` or ``.safetensors`` file, or a URL as mmengine takes it.
            allow_non_finite (bool): Accept weights that are NaN or infinite.

        Raises:
            InputError: The file is missing, damaged or no checkpoint, would run code, holds an object of an unknown
                class, no weights, or weights that are not finite.
        """
        checkpoint = cls(path, read_content(str(path)))
        if not allow_non_finite:
            checkpoint.require_finite()
        return checkpoint

    @property
    def meta(self) -> dict[str, Any]:
        """What the file says about its weights, as mmengine's runner writes it; empty where it says nothing."""
        return _dict_in(self.content, 'meta')

    @property
    def dataset_meta(self) -> dict[str, Any]:
        """Keypoints, skeleton and so on of the training data, or a detector's classes; empty where there are none."""
        return _dict_in(self.meta, 'dataset_meta')

    def require_as_written(self) -> None:
        """Check the weights against the digest that the file has of them, if it has one.

        Raises:
            InputError: The weights are not those of the digest.
        """
        written = self.meta.get(DIGEST)
        if written is not None and weights_digest(self.content['state_dict']) != written:
            raise InputError(
                f'checkpoint {self.path}: its weights are not those that were written (their digest differs); if they '
                f"were changed on purpose, delete meta['{DIGEST}']"
            )

    def require_finite(self) -> None:
        """Check that no weight is NaN or infinite, nor one of their moving averages.

        Raises:
            InputError: There are such weights; names their tensors.
        """
        averages = {f'ema_state_dict {name}': value for name, value in _dict_in(self.content, 'ema_state_dict').items()}
        found = non_finite({**self.weights, **averages})
        if found:
            raise InputError(
                f'checkpoint {self.path} has weights that are not finite (NaN or infinite), in {len(found)} tensors: '
                f'{shortlist(found)}; its training had diverged: take an earlier checkpoint (to load it all the same: '
                '--allow-non-finite, where a command has it, or allow_non_finite=True)'
            )

    def _likeness(self, model: nn.Module | PoseEstimator, found: WeightsComparison) -> str:
        """Say which model the weights are of; where only the last layer differs, how many keypoints they are for."""
        differing = {name.partition(' ')[0] for name in found.reshaped}
        if differing == LAST_LAYER and not found.missing and not found.unexpected:
            own, wanted = (len(weights[BIAS]) for weights in (self.weights_for(model), model.state_dict()))
            return f'It is for {own} keypoints and the config for {wanted}: use the config that it was trained with.'
        return looks_like(self.weights)

    @property
    def is_released(self) -> bool:
        """Whether the weights have the names of the authors' release."""
        return is_released(self.weights)

    def weights_for(self, model: nn.Module | PoseEstimator) -> dict[str, Tensor]:
        """The weights under the model's names: renamed if they are released and the model is a TransPose."""
        return adopt(self.weights, model)

    def compare(self, model: nn.Module | PoseEstimator) -> WeightsComparison:
        """Compare the names, shapes and kinds of numbers of the weights with those of a model."""
        return compare(model, self.weights)

    def require_match(
        self, model: nn.Module | PoseEstimator, allow_partial: bool = False, advice: str = ADVICE
    ) -> None:
        """Check that the weights set every parameter of a model, bring no others, and are those that were written.

        Args:
            model (nn.Module): The model that is to load them.
            allow_partial (bool): Accept weights of which only a part fits, and log what is left out.
            advice (str): Ends the message of the error.

        Raises:
            InputError: The weights do not match; the message lists the differences and names the model of this
                package that the weights look like. With ``allow_partial``: no parameter matches, or numbers are of
                another kind (complex, integer, boolean) than the model's. Or they match, but are not those of the
                file's digest.
        """
        found = self.compare(model)
        if found.exact:
            self.require_as_written()
            return
        if found.retyped:
            raise InputError(
                f'checkpoint {self.path} has {len(found.retyped)} tensors of another kind of number than the model of '
                f'this config: {shortlist(found.retyped)}; they would be converted in silence'
            )
        if not found.matching:
            raise InputError(
                f'checkpoint {self.path} shares no parameter with the model of this config: it has '
                f'{shortlist(list(self.weights)[:3])}, ... and the model {shortlist(list(model.state_dict())[:3])}, '
                f'... {looks_like(self.weights)}'
            )
        if not allow_partial:
            raise InputError(
                f'checkpoint {self.path} does not match the model of this config. {self._likeness(model, found)} '
                f'Differences: {found.differences()}. {advice}'.rstrip()
            )
        total = len(found.matching) + len(found.reshaped) + len(found.missing)
        kept = (
            f'{self.path}: kept {len(found.matching)} of {total} parameters and buffers. Left as initialised or not '
            f'used: {found.differences()}.'
        )
        print_log(printable(kept), logger='current')

    def require_resumable(self) -> None:
        """Check that a training can be resumed from this checkpoint.

        Raises:
            InputError: The file holds weights alone and does not say how far the training went, lacks the log, or its
                weights are not those that were written.
        """
        self.require_as_written()
        if not {'epoch', 'iter'} <= set(self.meta):
            raise InputError(
                f'checkpoint {self.path} holds weights alone, so no training can be resumed from it; to start from '
                f'these weights, use --cfg-options load_from={self.path}'
            )
        if not isinstance(self.content.get('message_hub'), dict):
            raise InputError(
                f'checkpoint {self.path} has no message_hub (it was published, or written by another program), so no '
                f'training can be resumed from it; to start from its weights, use --cfg-options load_from={self.path}'
            )

    def load_into(self, model: nn.Module) -> None:
        """Load the weights into a model. Weights that do not fit are left out: use ``require_match`` first."""
        load_checkpoint_to_model(model, self.content)


def _weights(path: str, content: object) -> dict[str, Tensor]:
    """The weights among what a file holds; see :class:`Checkpoint`."""
    if not isinstance(content, dict):
        raise InputError(f'checkpoint {path} holds a {type(content).__name__}, not a dict of weights')
    weights = state_dict_of(content)
    if weights is None:
        kind = type(content['state_dict']).__name__
        raise InputError(f'checkpoint {path} holds a {kind} as state_dict, not a dict of weights')
    others = [str(name) for name, value in weights.items() if not (isinstance(name, str) and _is_dense(value))]
    if others or not weights:
        held = f'holds {shortlist(others)}, which are no named, dense tensors' if others else 'holds no weights'
        raise InputError(f'checkpoint {path} {held}; a state dict, or a dict with state_dict, is expected')
    return weights


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided


def _dict_in(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}
