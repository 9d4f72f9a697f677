"""Explanations as files: raw values, figures, overlays and a page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.fileio import put

from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions, PoseExplanation
from mmtranspose.media import write_image
from mmtranspose.visualization import explanation_figure, overlay_people, relevance_figure, write_page

PAGE = 'page'


def explain_options(choice: str | None, kpt_thr: float) -> ExplainOptions | None:
    """The explanations that a choice needs: both directions for a page, dependency alone for a keypoint."""
    return None if choice is None else ExplainOptions(affect=choice == PAGE, score_thr=kpt_thr)


def explained_keypoint(choice: str | None, dataset_meta: dict) -> int | None:
    """Number of the keypoint whose maps are laid over the images.

    Args:
        choice (str | None): Its name or number; ``'page'`` and None: no keypoint.
        dataset_meta (dict): As ``model.dataset_meta``.

    Raises:
        InputError: There is no such keypoint; lists them.
    """
    if choice is None or choice == PAGE:
        return None
    names = [dataset_meta['keypoint_id2name'][k] for k in range(dataset_meta['num_keypoints'])]
    if choice in names:
        return names.index(choice)
    if choice.isdecimal() and int(choice) < len(names):
        return int(choice)
    raise InputError(
        f'--explain {choice}: there is no such keypoint; choose from {", ".join(names)}, or a number from 0 to '
        f'{len(names) - 1}, or {PAGE}'
    )


def write_explanations(
    root: str | Path,
    name: str,
    image: np.ndarray,
    explanations: Sequence[PoseExplanation],
    threshold: float | None = None,
) -> dict[str, list[str]]:
    """Write everything that there is to see of the people in an image.

    Args:
        root (str | Path): The folder; made where it is not there.
        name (str): The image's name; files are called after it, without its ending.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        explanations (Sequence[PoseExplanation]): One a person, at least one.
        threshold (float | None): Weights at or below it are not drawn (the authors suggest 0.01).

    Returns:
        dict: Files by kind: ``page`` (one HTML file for all people), ``maps`` (one ``.npz``, see :func:`write_maps`),
        ``figures`` (layers x keypoints, one a person and direction; methods x keypoints), ``overlays`` (a keypoint's
        last layer over the image, all people).
    """
    name = name.encode('utf-8', 'replace').decode('utf-8')  # names of files need not be text
    root, stem = Path(root), Path(name).stem
    files = {'page': [f'{stem}.html'], 'maps': [f'{stem}.npz'], 'figures': [], 'overlays': []}
    write_page(root / files['page'][0], image, explanations, name, threshold)
    write_maps(root / files['maps'][0], explanations)

    def draw(kind: str, file: str, picture: np.ndarray) -> None:
        files[kind].append(file)
        write_image(root / file, picture)

    for person, explanation in enumerate(explanations):
        for direction in ('dependency', 'affect'):
            if getattr(explanation, direction) is not None:
                title = f'{name}, person {person + 1}: {direction}'
                figure = explanation_figure(explanation, direction, threshold=threshold, title=title)
                draw('figures', f'{stem}_person{person + 1}_{direction}.png', figure)
        if explanation.relevance:
            figure = relevance_figure(explanation, title=f'{name}, person {person + 1}: methods')
            draw('figures', f'{stem}_person{person + 1}_methods.png', figure)
    last = explanations[0].num_layers - 1
    for keypoint, keypoint_name in enumerate(explanations[0].names):
        picture = overlay_people(image, explanations, keypoint, last, threshold=threshold)
        safe = re.sub(r'[^\w-]+', '_', keypoint_name)[:80]
        draw('overlays', f'{stem}_overlays/{keypoint:03d}_{safe}.jpg', picture)
    return {kind: [str(root / file) for file in names] for kind, names in files.items()}


def write_maps(path: str | Path, explanations: Sequence[PoseExplanation]) -> None:
    """Write the raw values of all people P into an ``.npz`` that ``numpy.load`` opens without pickle.

    ``dependency`` (P, L, [heads,] K, h, w), ``affect`` alike and ``relevance_NAME`` (P, K, h, w) where asked for;
    ``keypoints`` (P, K, 2), ``scores`` and ``uncertain`` (P, K), ``bboxes`` (P, 4), ``names`` (K,), ``cells``
    (P, K, 4, 2) and ``cell_weights`` (P, K, 4) (one cell where each peak is one token's), ``token_to_crop`` and
    ``crop_to_image`` (P, 2, 3), ``crops`` (P, H, W, 3). All as :class:`PoseExplanation` has them.
    """
    stacked = ('dependency', 'keypoints', 'scores', 'uncertain', 'token_to_crop', 'crop_to_image')
    arrays = {name: np.stack([getattr(person, name) for person in explanations]) for name in stacked}
    arrays['bboxes'] = np.stack([person.bbox for person in explanations])
    arrays['crops'] = np.stack([person.crop for person in explanations])
    arrays['cells'] = np.stack([person.cells for person in explanations])
    arrays['cell_weights'] = np.stack([person.cell_weights for person in explanations])
    arrays['names'] = np.array(explanations[0].names)
    if explanations[0].affect is not None:
        arrays['affect'] = np.stack([person.affect for person in explanations])
    for method in explanations[0].relevance:
        key = f'relevance_{method.replace("-", "_")}'
        arrays[key] = np.stack([person.relevance[method] for person in explanations])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    put(buffer.getvalue(), str(path))
