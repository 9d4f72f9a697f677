"""Write explanations to files: raw values, figures, overlays and a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmtranspose.explain import PoseExplanation
from mmtranspose.files.output_paths import partial_file
from mmtranspose.media import write_animation, write_image
from mmtranspose.typing import PathLike
from mmtranspose.visualization import (
    dependency_animation,
    explanation_figure,
    overlay_people,
    relevance_figure,
    write_page,
)

OVERLAYS = '_overlays'  # the end of the name of the folder with an image's overlays


def write_explanations(
    root: PathLike,
    name: str,
    image: np.ndarray,
    explanations: Sequence[PoseExplanation],
    threshold: float | None = None,
    animation: bool = False,
    progress: bool = False,
) -> dict[str, list[str]]:
    """Write the page, the raw maps, the figures and the overlays that explain the poses of the people in an image.

    Args:
        root (PathLike): The folder; made if it is missing.
        name (str): Name of the image; files are named after it, without its suffix.
        image (np.ndarray): (h, w, 3), BGR, uint8.
        explanations (Sequence[PoseExplanation]): One explanation a person; at least one.
        threshold (float | None): Weights at or below it are not drawn (the authors suggest 0.01).
        animation (bool): Also write a GIF of the poses and the last layer's maps, keypoint after keypoint.
        progress (bool): Show a progress bar over the files.

    Returns:
        dict: Paths by kind of file: ``page`` (one HTML file for all people), ``maps`` (one ``.npz``, see
        :func:`write_maps`), ``animation`` (one GIF, or none), ``figures`` (layers x keypoints, one for each person and
        direction; methods x keypoints), ``overlays`` (the last layer's maps of one keypoint over the image, for all
        people).

    Raises:
        OSError: A file cannot be written; the error names it.
    """
    name = name.encode('utf-8', 'replace').decode('utf-8')  # names of files need not be text
    root, stem = Path(root), Path(name).stem
    files: dict[str, list[str]] = {'page': [f'{stem}.html'], 'maps': [f'{stem}.npz'], 'figures': [], 'overlays': []}
    files['animation'] = [f'{stem}_animation.gif'] if animation else []
    directions = [one for one in ('dependency', 'affect') if getattr(explanations[0], one) is not None]
    figures = len(explanations) * (len(directions) + bool(explanations[0].relevance))
    total = 2 + animation + figures + len(explanations[0].names)
    with tqdm(total=total, desc='files', unit='file', disable=not progress) as bar:

        def written(kind: str, file: str, drawn: np.ndarray) -> None:
            files[kind].append(file)
            write_image(root / file, drawn)
            bar.update()

        write_page(root / files['page'][0], image, explanations, name, threshold)
        bar.update()
        write_maps(root / files['maps'][0], explanations)
        bar.update()
        for file in files['animation']:
            write_animation(root / file, *dependency_animation(image, explanations, threshold=threshold))
            bar.update()
        for person, explanation in enumerate(explanations):
            for direction in directions:
                title = f'{name}, person {person + 1}: {direction}'
                figure = explanation_figure(explanation, direction, threshold=threshold, title=title)
                written('figures', f'{stem}_person{person + 1}_{direction}.png', figure)
            if explanation.relevance:
                figure = relevance_figure(explanation, title=f'{name}, person {person + 1}: methods')
                written('figures', f'{stem}_person{person + 1}_methods.png', figure)
        last = explanations[0].num_layers - 1
        for keypoint, keypoint_name in enumerate(explanations[0].names):
            overlay = overlay_people(image, explanations, keypoint, last, threshold=threshold)
            safe = re.sub(r'[^\w-]+', '_', keypoint_name)[:80]
            written('overlays', f'{stem}{OVERLAYS}/{keypoint:03d}_{safe}.jpg', overlay)
    return {kind: [str(root / file) for file in names] for kind, names in files.items()}


def write_maps(path: PathLike, explanations: Sequence[PoseExplanation]) -> None:
    """Write the raw values of all P people to an ``.npz`` file that ``numpy.load`` opens without pickle.

    The arrays are ``dependency`` (P, L, [heads,] K, h, w), and if asked for ``affect`` of the same shape and
    ``relevance_NAME`` (P, K, h, w); ``keypoints`` (P, K, 2), ``scores`` and ``uncertain`` (P, K), ``bboxes`` (P, 4),
    ``names`` (K,), ``cells`` (P, K, 4, 2) and ``cell_weights`` (P, K, 4) (one cell in place of 4 where a peak is one
    token's), ``token_to_crop`` and ``crop_to_image`` (P, 2, 3), ``crops`` (P, H, W, 3). All are documented in
    :class:`PoseExplanation`.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    first = explanations[0]
    same = ['dependency', 'keypoints', 'scores', 'uncertain', 'cells', 'cell_weights', 'token_to_crop', 'crop_to_image']
    same += [] if first.affect is None else ['affect']
    attributes = dict(zip(same, same), bboxes='bbox', crops='crop')  # by name in the file
    arrays = {name: np.stack([getattr(one, field) for one in explanations]) for name, field in attributes.items()}
    for method in first.relevance:
        stacked = np.stack([person.relevance[method] for person in explanations])
        arrays[f'relevance_{method.replace("-", "_")}'] = stacked
    arrays['names'] = np.array(first.names)
    with partial_file(path) as partial, open(partial, 'wb') as file:
        np.savez_compressed(file, **arrays)
