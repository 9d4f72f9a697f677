"""What an exported file says about itself: the entry ``mmtranspose`` of its metadata, a JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from mmtranspose.errors import InputError

KEY = 'mmtranspose'  # of the entry
FORMAT = 1  # of the JSON; a reader refuses a larger one


@dataclass(frozen=True)
class FileMeta:
    """What a program needs to know to use an exported file.

    Attributes:
        graph (str): ``'image'``, from an image and boxes to keypoints of the image; or ``'crops'``.
        model (str): Name of the config, as `mmtranspose list` has it, or the stem of its file.
        keypoint_names (list[str]): (K,).
        skeleton (list[list[int]]): Limbs, as pairs of keypoint numbers.
        flip_pairs (list[list[int]]): Left and right keypoints, as pairs of numbers.
        sigmas (list[float]): (K,), of the object keypoint similarity (OKS).
        input_size (list[int]): (w, h) of the crops, in pixels.
        token_grid (list[int]): (h, w).
        token_to_crop (list[list[float]]): (2, 3), from a token's (col, row) to (x, y) in pixels of the crop.
        num_layers (int): Encoder layers L.
        padding (float | None): Factor by which boxes are enlarged before they are cut; None: crops are made in a way
            that only the config tells.
        crop_convention (str): What lies on the edges of the enlarged box: ``'plain'``, the edges of the crop; ``'udp'``
            or ``'unbiased'``, the middles of its outermost pixels; see
            :class:`~mmtranspose.deployment.graphs.CropCutting`.
        flip_test (bool): Whether each prediction is the mean of the image's and its mirror image's.
        dependency (bool): Whether the file returns attention rows.
        precision (str): ``'fp32'``, ``'fp16'``, ``'bf16'`` or ``'int8'``, of the network.
        config (str): Text of the config, without paths of the machine, for people: no program runs it.
        dataset_meta (dict): MMPose's metainfo of the dataset, encoded by
            :func:`~mmtranspose.files.json_files.encoded`.
        checkpoint_sha256 (str | None): Of the checkpoint's file; None where the export was not told which it was.
        version (str): Of mmtranspose.
        licence (str): Of this package; weights and data may have others.
        format (int): Of this entry.
    """

    graph: str
    model: str
    keypoint_names: list[str]
    skeleton: list[list[int]]
    flip_pairs: list[list[int]]
    sigmas: list[float]
    input_size: list[int]
    token_grid: list[int]
    token_to_crop: list[list[float]]
    num_layers: int
    padding: float | None
    crop_convention: str
    flip_test: bool
    dependency: bool
    precision: str
    config: str
    dataset_meta: dict[str, Any]
    checkpoint_sha256: str | None
    version: str
    licence: str
    format: int = FORMAT

    def to_json(self) -> str:
        """The entry's text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None, where: str) -> FileMeta:
        """Read the entry of a file that is called ``where`` in messages.

        Raises:
            InputError: There is no entry; it is no JSON or lacks a field; or a later version has written it.
        """
        try:
            content = json.loads(text or '')
            given = {field.name: content[field.name] for field in fields(cls)}
        except (ValueError, TypeError, LookupError):
            raise InputError(
                f'{where} was not written by `mmtranspose export`: its metadata has no entry {KEY!r} that says how '
                'boxes are cut and keypoints called; export the checkpoint again'
            ) from None
        if given['format'] > FORMAT:
            raise InputError(f'{where} was written by mmtranspose {given["version"]}, which is newer: upgrade this one')
        return cls(**given)

    @property
    def outputs(self) -> Sequence[str]:
        """Names of the file's outputs, in order."""
        extra = ('dependency', 'crop_to_image') if self.graph == 'image' else ('dependency',)
        return ('keypoints', 'scores', *(extra if self.dependency else ()))
