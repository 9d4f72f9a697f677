"""Check the keypoints that metainfo defines: their names, however spelt, their pairs, sigmas, number and order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from mmtranspose.dataset_check.problems import Problem
from mmtranspose.keypoint_names import keypoint_names
from mmtranspose.typing import DatasetMeta

ABBREVIATED = dict(l='left', r='right')
OPPOSITE = dict(left='right', right='left')


def _words(name: str) -> list[str]:
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+|[0-9]+', name)
    return [ABBREVIATED.get(word.lower(), word.lower()) for word in words]


def canonical(name: str) -> str:
    """Spell a keypoint's name in one way: ``'L_Eye'``, ``'Left Eye'`` and ``'left-eye'`` all give ``'left_eye'``."""
    return '_'.join(_words(name))


def canonical_index(names: Sequence[str]) -> dict[str, int]:
    """Map the canonical name of each keypoint to its number."""
    return {canonical(name): k for k, name in enumerate(names)}


def mirrored(name: str) -> str | None:
    """Give the canonical name of a keypoint's mirror image; None for a keypoint that is neither left nor right."""
    words = _words(name)
    if not set(words) & set(OPPOSITE):
        return None
    return '_'.join(OPPOSITE.get(word, word) for word in words)


def left_right_pairs(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Map the canonical name of each left keypoint that has a right counterpart to both numbers, (left, right)."""
    index = canonical_index(names)
    pairs = {}
    for name, k in index.items():
        other = mirrored(name)
        if other in index and 'left' in name.split('_') and 'right' not in name.split('_'):
            pairs[name] = (k, index[other])
    return pairs


def check_definition(meta: DatasetMeta, steps: dict[str, dict]) -> Iterator[Problem]:
    """Check that ids count from 0, names are unique, weights are as many as keypoints, and links join two of them.

    Args:
        meta (DatasetMeta): The dataset's metainfo.
        steps (dict[str, dict]): The steps of its pipeline by type.
    """
    num, ids = meta['num_keypoints'], list(meta['keypoint_id2name'])
    if ids != list(range(num)):
        yield Problem('keypoint-definition', f'keypoint_info has the ids {ids}, not 0 to {num - 1} in order')
    if len(meta['keypoint_name2id']) != num:
        yield Problem('keypoint-definition', f'keypoint_info has {num} keypoints but fewer names: a name comes twice')
    if len(meta['dataset_keypoint_weights']) != num:
        weighs = any(step.get('use_dataset_keypoint_weights') for step in steps.values())
        count = len(meta['dataset_keypoint_weights'])
        kind = 'keypoint-definition' if weighs else 'keypoint-weights'
        yield Problem(kind, f'joint_weights has {count} numbers for {num} keypoints')
    for link in meta['skeleton_links']:
        if len(link) != 2 or link[0] == link[1]:
            text = f'skeleton_info has the link {link}: two different keypoints are expected'
            yield Problem('skeleton-links', text)


def check_swap(meta: DatasetMeta) -> Iterator[Problem]:
    """Check that swapping twice changes nothing, and that left and right of a name are swapped with each other."""
    names, swap = meta['keypoint_id2name'], dict(zip(meta['keypoint_id2name'], meta['flip_indices']))
    by_name = {canonical(name): k for k, name in names.items()}
    for k, other in swap.items():
        mirror = mirrored(names[k])
        if swap[other] != k:
            back = names[swap[other]]
            yield Problem('keypoint-swap', f'{names[k]} swaps with {names[other]}, which swaps with {back}')
        elif mirror in by_name and by_name[mirror] != other:
            yield Problem('keypoint-swap', f'{names[k]} swaps with {names[other]}, not {names[by_name[mirror]]}')
        elif mirror is not None and mirror not in by_name and other == k:
            yield Problem('keypoint-pairing', f'{names[k]} swaps with nothing')


def check_half_body(meta: DatasetMeta, steps: dict[str, dict]) -> Iterator[Problem]:
    """Check that ``RandomHalfBody``, where ``steps`` has it, finds an upper and a lower half to choose from."""
    for half in ('upper', 'lower'):
        if 'RandomHalfBody' in steps and not meta[f'{half}_body_ids']:
            yield Problem('half-body', f'no keypoint in keypoint_info has type={half!r}')


def check_sigmas(meta: DatasetMeta, num_keypoints: int | None = None) -> Iterator[Problem]:
    """Check what ``CocoMetric`` weighs errors by: sigmas are as many as keypoints, finite, above 0 and below 1.

    Args:
        meta (DatasetMeta): The metainfo that the metric gets.
        num_keypoints (int | None): Keypoints that are evaluated; None: those of the metainfo.
    """
    sigmas, names = meta['sigmas'], keypoint_names(meta)
    num_keypoints = len(names) if num_keypoints is None else num_keypoints
    if len(sigmas) != num_keypoints:
        yield Problem('sigmas', f'metainfo.sigmas has {len(sigmas) or "no"} numbers for {num_keypoints} keypoints')
        return
    for name, sigma in zip(names, sigmas):
        if not 0 < sigma < 1:  # false for NaN too
            yield Problem('sigmas', f'metainfo.sigmas has {np.float64(sigma):.4g} for {name}')


def check_head(num_outputs: int, out_channels: int | None, num_outer: int) -> Iterator[Problem]:
    """Check that the head predicts as many keypoints as the dataset gives, and metainfo around it has.

    Args:
        num_outputs (int): Keypoints of the samples.
        out_channels (int | None): Of the head; None: it does not say.
        num_outer (int): Keypoints of the metainfo that samples and metrics get; a ``CombinedDataset`` has its own.
    """
    if num_outer != num_outputs and num_outer == out_channels:
        yield Problem('keypoint-count', f'metainfo has {num_outer}, samples have {num_outputs}: no KeypointConverter?')
        return
    if out_channels is not None and out_channels != num_outputs:
        yield Problem('keypoint-count', f'model.head.out_channels is {out_channels}, the dataset has {num_outputs}')


def check_categories(
    categories: list[dict], carried: list[int | str], meta: DatasetMeta, misfits: bool = False
) -> Iterator[Problem]:
    """Compare the names and the order of keypoints in an annotation file with metainfo's, which is what MMPose uses.

    The first difference is named, and then the names of both. A category with fewer keypoints tells nothing as long as
    people fit: dataset classes put other keypoints in their place, or after them.

    Args:
        categories (list[dict]): The annotation file's categories.
        carried (list[int | str]): Ids of the categories that people carry.
        meta (DatasetMeta): The dataset's metainfo.
        misfits (bool): Whether nobody has as many keypoints as metainfo.
    """
    names = keypoint_names(meta)
    used = [one for one in categories if one['id'] in carried] or categories[:1]
    named = [one for one in used if isinstance(one.get('keypoints'), list) and one['keypoints']]
    if not named:
        yield Problem('keypoint-names-missing', 'no entry of categories that people carry has keypoints')
    for category in named:
        found, where = category['keypoints'], f'category {category.get("name")!r}'
        if len(found) == len(names):
            yield from _check_order(found, names, where)
        elif misfits or len(found) > len(names):
            kind = 'keypoints-of-another' if misfits else 'keypoint-names-number'
            yield Problem(kind, f'{where} names {len(found)}, metainfo {len(names)}{_both(found, names)}')


def _both(found: list[str], names: list[str]) -> str:
    """The names of the file's keypoints beside those of metainfo, in order, to be copied into the config."""
    return f'. The file has {", ".join(map(str, found))}; metainfo has {", ".join(names)}'


def _check_order(found: list[str], names: list[str], where: str) -> Iterator[Problem]:
    known = canonical_index(names)
    differing = [k for k, name in enumerate(found) if canonical(str(name)) != canonical(names[k])]
    moved = [k for k in differing if canonical(str(found[k])) in known]
    if differing:
        first = (moved or differing)[0]
        rest = f'; {len(differing)} of {len(found)} differ{_both(found, names)}'
        kind = 'keypoint-order' if moved else 'keypoint-names'
        yield Problem(kind, f'{where}: keypoints[{first}] is {found[first]!r}, in metainfo {names[first]!r}{rest}')
