"""Check the config of MMPose's ``KeypointConverter``: pairs of a source, or two to average, and a target."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def sources_by_target(converter: dict) -> dict[int, list[int]]:
    """What each keypoint that a converter gives is made of.

    Args:
        converter (dict): The converter's config, with ``mapping``.

    Returns:
        dict[int, list[int]]: The source keypoints, in order and each once, of each target.
    """
    return {target: sorted(set(np.ravel(source).tolist())) for source, target in converter.get('mapping', ())}


def check_converter(converter: dict, num_sources: int) -> Iterator[str]:
    """Check that a converter takes keypoints that there are and puts them where there is room.

    Args:
        converter (dict): Its config, with ``num_keypoints`` and ``mapping``.
        num_sources (int): Keypoints that it is given.

    Yields:
        str: What is wrong.
    """
    try:
        by_target = sources_by_target(converter)
        sources = [int(source) for some in by_target.values() for source in some]
        targets = [int(target) for target in by_target]
    except (TypeError, ValueError):
        yield f'mapping={converter.get("mapping")!r:.60} must be pairs of a source, or two, and a target: numbers all'
        return
    num_targets = converter.get('num_keypoints') or 0
    for word, numbers, count in (('takes', sources, num_sources), ('gives', targets, num_targets)):
        beyond = [number for number in numbers if not 0 <= number < count]
        if beyond:
            yield f'mapping {word} keypoint {beyond[0]}, beyond the {count} that there are'
