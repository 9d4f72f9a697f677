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


def check_definition(meta: DatasetMeta) -> Iterator[Problem]:
    """Check that ids count from 0, names are unique, weights are as many as keypoints, and links join two of them."""
    num, ids = meta['num_keypoints'], list(meta['keypoint_id2name'])
    if ids != list(range(num)):
        yield Problem('keypoint-definition', f'keypoint_info has the ids {ids}, not 0 to {num - 1} in order')
    if len(meta['keypoint_name2id']) != num:
        yield Problem('keypoint-definition', f'keypoint_info has {num} keypoints but fewer names: a name comes twice')
    if len(meta['dataset_keypoint_weights']) != num:
        count = len(meta['dataset_keypoint_weights'])
        yield Problem('keypoint-definition', f'joint_weights has {count} numbers for {num} keypoints')
    for link in meta['skeleton_links']:
        if len(link) != 2 or link[0] == link[1]:
            text = f'skeleton_info has the link {link}: two different keypoints are wanted'
            yield Problem('keypoint-definition', text)


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


def check_sigmas(meta: DatasetMeta) -> Iterator[Problem]:
    """Check that sigmas are as many as keypoints, finite, above 0 and below 1."""
    sigmas, names = meta['sigmas'], keypoint_names(meta)
    if len(sigmas) == 0:
        yield Problem('sigmas-missing', 'metainfo.sigmas is empty')
    elif len(sigmas) != len(names):
        yield Problem('sigmas', f'metainfo.sigmas has {len(sigmas)} numbers for {len(names)} keypoints')
    else:
        for name, sigma in zip(names, sigmas):
            if not 0 < sigma < 1:  # false for NaN too
                yield Problem('sigmas', f'metainfo.sigmas has {np.float64(sigma):.4g} for {name}')


def check_head(num_outputs: int, out_channels: int | None) -> Iterator[Problem]:
    """Check that the head predicts as many keypoints as the dataset gives; None: the head does not say."""
    if out_channels is not None and out_channels != num_outputs:
        yield Problem('keypoint-count', f'model.head.out_channels is {out_channels}, the dataset has {num_outputs}')


def check_categories(categories: list[dict], meta: DatasetMeta, num_laid_out: int) -> Iterator[Problem]:
    """Compare the annotation file's names of keypoints, and their order, with metainfo's.

    Only the first difference is named.

    Args:
        categories (list[dict]): The annotation file's categories.
        meta (DatasetMeta): The dataset's metainfo.
        num_laid_out (int): Keypoints that MMPose's dataset class makes of an annotation; a file may name fewer where
            the class adds others to them.
    """
    names = keypoint_names(meta)
    named = [category for category in categories if category.get('keypoints')]
    if not named:
        yield Problem('keypoint-names-missing', 'no entry of categories has keypoints')
    for category in named:
        found, where = category['keypoints'], f'category {category.get("name")!r}'
        if len(found) > len(names) or (len(found) < len(names) and num_laid_out != len(names)):
            yield Problem('keypoint-count', f'{where} names {len(found)} keypoints, metainfo {len(names)}')
        else:
            yield from _check_order(found, names, where)


def _check_order(found: list[str], names: list[str], where: str) -> Iterator[Problem]:
    known = canonical_index(names)
    differing = [k for k, name in enumerate(found) if canonical(str(name)) != canonical(names[k])]
    moved = [k for k in differing if canonical(str(found[k])) in known]
    if differing:
        first = (moved or differing)[0]
        rest = f'; {len(differing)} of {len(found)} differ'
        kind = 'keypoint-order' if moved else 'keypoint-names'
        yield Problem(kind, f'{where}: keypoints[{first}] is {found[first]!r}, in metainfo {names[first]!r}{rest}')
