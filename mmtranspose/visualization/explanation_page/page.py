"""Compose the page: template, styles, script and data in one file that needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.typing import PathLike
from mmtranspose.visualization import heat
from mmtranspose.visualization.explanation_page.packing import (
    content_policy,
    embedded_json,
    number,
    numbers,
    packed_image,
    packed_maps,
)

if TYPE_CHECKING:
    from mmtranspose.explain.pose_explanation import PoseExplanation

ASSETS = Path(__file__).parent
LONGEST = 1280  # longer side of the whole image at most, in pixels


def write_page(
    path: PathLike,
    image: np.ndarray,
    explanations: Sequence[PoseExplanation],
    title: str,
    threshold: float | None = None,
) -> None:
    """Write one HTML page that shows what each person's keypoints depend on; it opens from disk, without a network.

    The page opens on the keypoint whose dependency map has the highest weight in the last layer, among the certain
    keypoints of the first person who has one (else among all keypoints), every map on a colour scale of its own. Other
    pages can link to what they speak of by a fragment, ``NAME.html#person=2&keypoint=left_wrist&layer=2&map=affect``,
    each part of which may be left out:

    - ``keypoint``: its name, with underscores or spaces;
    - ``person`` and ``layer``: numbers as the page shows them, from 1; the first layer is 1;
    - ``map``: ``dependency``, ``affect``, or the name of a method in :attr:`PoseExplanation.relevance`.

    Quote values with :func:`urllib.parse.urlencode`. The page says by the image what it does not have of a link.

    The page carries the image (shrunk to a longer side of 1280 pixels), the crops and all maps, one byte a value. A
    value is off by at most 1/255 of its map's maximum, a small value by far less (see
    :func:`~mmtranspose.visualization.explanation_page.packing.quantise`). Texts are escaped. A content security policy
    lets no script but the page's own run, and nothing be fetched.

    Args:
        path (PathLike): The file, written whole or not at all; missing folders are made.
        image (np.ndarray): (h, w, 3), BGR, uint8: the image that the people are in.
        explanations (Sequence[PoseExplanation]): One explanation a person.
        title (str): Headline, such as the image's file name.
        threshold (float | None): Initial threshold of dependency and affect: weights at or below it are not drawn. None
            is 0.

    Raises:
        InputError: There are no people, the image is not (h, w, 3) uint8, or a map or the place of a keypoint is not
            finite.
        OSError: The file cannot be written.
    """
    text = render_page(image, explanations, title, threshold)
    with partial_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


def render_page(
    image: np.ndarray, explanations: Sequence[PoseExplanation], title: str, threshold: float | None = None
) -> str:
    """The text of the page; arguments and errors as in :func:`write_page`."""
    if not explanations:
        raise InputError('there is no person to show: a page needs at least one explanation')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f'the image must be (h, w, 3) uint8, not {image.shape} {image.dtype}')
    style, script = asset('page.css'), viewer_script() + asset('page.js')
    return Template(asset('page.html')).substitute(
        policy=content_policy(style, script),
        title=html.escape(title.encode('utf-8', 'replace').decode('utf-8')),
        style=style,
        script=script,
        viewer=asset('viewer.html'),
        data=embedded_json(
            dict(
                heat=heat_style(),
                threshold=float(threshold or 0),
                image=packed_image(image, LONGEST),
                people=[_person(explanation) for explanation in explanations],
            )
        ),
    )


def _person(explanation: PoseExplanation) -> dict:
    return dict(
        names=[str(name) for name in explanation.names],
        scores=numbers(explanation.scores),
        uncertain=[bool(flag) for flag in explanation.uncertain],
        scoreThreshold=number(explanation.score_thr),
        keypoints=numbers(_finite(explanation.crop_keypoints)),
        skeleton=[[int(a), int(b)] for a, b in explanation.skeleton],
        bbox=numbers(np.asarray(explanation.bbox)[:4]),
        crop=packed_image(explanation.crop, quality=92),
        grid=[int(side) for side in explanation.grid],
        tokenToCrop=numbers(explanation.token_to_crop.ravel()),
        cropToImage=numbers(explanation.crop_to_image.ravel()),
        kinds=_kinds(explanation),
    )


def _finite(keypoints: np.ndarray) -> np.ndarray:
    if not np.isfinite(keypoints).all():
        raise InputError(f'keypoint {np.argwhere(~np.isfinite(keypoints))[0, 0]} has no finite place in the crop')
    return keypoints


def _kinds(explanation: PoseExplanation) -> list[dict]:
    """Every kind of map of a person, each as (L, heads, K, h, w); ``layers`` says whether L counts layers."""
    kinds = []
    for direction in ('dependency', 'affect'):
        maps = getattr(explanation, direction)
        if maps is not None:
            apart = maps if maps.ndim == 5 else maps[:, None]
            kinds.append(dict(layers=True, **packed_maps(direction, apart)))
    for method, maps in explanation.relevance.items():
        kinds.append(dict(layers=False, **packed_maps(str(method), maps[None, None])))
    return kinds


def viewer_script() -> str:
    """The script that draws maps and lets people choose among them, for any page with the elements of viewer.html."""
    return asset('maps.js') + asset('viewer.js')


def heat_style() -> dict:
    """Colours and opacities of weights, as in figures and overlays."""
    rgb = np.rint(heat.COLOURS[:, ::-1]).astype(np.uint8)
    return dict(
        palette=base64.b64encode(rgb.tobytes()).decode('ascii'),
        opacity=heat.OPACITY,
        growth=heat.GROWTH,
        darkest=heat.DARKEST,
        contrast=heat.CONTRAST,
    )


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (ASSETS / name).read_text(encoding='utf-8')
