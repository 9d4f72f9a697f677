"""Compose the report: template, styles, script and data in one file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

import numpy as np

from mmtranspose.files.output_paths import partial_file
from mmtranspose.typing import PathLike
from mmtranspose.visualization.explanation_page.packing import content_policy, embedded_json, number, packed_image
from mmtranspose.visualization.explanation_page.page import asset, heat_style
from mmtranspose.visualization.report_page.person_cards import PersonCard

ASSETS = Path(__file__).parent
LONGEST = 2000  # longer side of a figure at most, in pixels
TOP_KEYS = ('people', 'keypoints', 'names', 'faithfulness')
CASE_KEYS = ('oks', 'mean_person_oks', 'types', 'keypoints', 'costs', 'links')


def write_report_page(
    path: PathLike,
    title: str,
    summary: dict,
    skeleton: Sequence[tuple[int, int]],
    figures: Mapping[str, np.ndarray],
    cards: Iterable[PersonCard],
) -> None:
    """Write the report as one HTML page; it opens from disk, without a network.

    Texts are escaped. A content security policy lets no script but the page's own run, and nothing be fetched. Each
    card is packed as it comes, so that no more than one explanation has to be in memory.

    Args:
        path (PathLike): The file, written whole or not at all.
        title (str): Headline, such as the model's name.
        summary (dict): Of ``explain-dataset``: ``people``, ``keypoints``, ``names``, ``faithfulness``,
            and ``cases`` with ``oks``, ``mean_person_oks``, ``types``, ``keypoints``, ``costs`` and ``links``.
        skeleton (Sequence[tuple[int, int]]): Limbs, as pairs of keypoints.
        figures (Mapping[str, np.ndarray]): Images (h, w, 3), BGR, uint8, each under its name.
        cards (Iterable[PersonCard]): The people to show, worst first.

    Raises:
        OSError: The file cannot be written.
    """
    style, script = asset('page.css') + _asset('report.css'), asset('maps.js') + _asset('report.js')
    data = dict(
        summary=_plain({key: summary[key] for key in TOP_KEYS}),
        cases=_plain({key: summary['cases'][key] for key in CASE_KEYS}),
        skeleton=[[int(a), int(b)] for a, b in skeleton],
        figures=[dict(name=name, **packed_image(image, LONGEST)) for name, image in figures.items()],
        heat=heat_style(),
        cards=[card.packed() for card in cards],
    )
    text = Template(_asset('report.html')).substitute(
        policy=content_policy(style, script),
        title=html.escape(title.encode('utf-8', 'replace').decode('utf-8')),
        style=style,
        script=script,
        data=embedded_json(data),
    )
    with partial_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


def _plain(value: object) -> object:
    """The value with None for NaN and infinity, and numbers with seven digits."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return number(value) if isinstance(value, float) else value


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding='utf-8')
