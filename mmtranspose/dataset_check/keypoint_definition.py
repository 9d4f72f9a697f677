"""The names of keypoints, however they are spelt."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mmtranspose.dataset_check.problems import Problem

_SIDES = dict(l='left', r='right')


_MIRROR = dict(left='right', right='left')


def _words(name: str) -> list[str]:
    words = re.findall(r'[A-Z]?[a-z]+|[A-Z]+|[0-9]+', name)
    return [_SIDES.get(word.lower(), word.lower()) for word in words]


def canonical(name: str) -> str:
    """One spelling of a name: ``'L_Eye'``, ``'Left Eye'`` and ``'left-eye'`` are all ``'left_eye'``."""
    return '_'.join(_words(name))


def mirrored(name: str) -> str | None:
    """The canonical name of a keypoint's mirror image, None for one without a side."""
    words = _words(name)
    if not set(words) & set(_MIRROR):
        return None
    return '_'.join(_MIRROR.get(word, word) for word in words)


def sided_pairs(names: list[str]) -> dict[str, tuple[int, int]]:
    """The pairs among keypoint names: the left one's canonical name to the indices (left, right)."""
    index = {canonical(name): k for k, name in enumerate(names)}
    pairs = {}
    for name, k in index.items():
        other = mirrored(name)
        if other in index and 'left' in name.split('_') and 'right' not in name.split('_'):
            pairs[name] = (k, index[other])
    return pairs


def keypoint_names(meta: dict) -> list[str]:
    """Names in the order of ids."""
    return [name for _, name in sorted(meta['keypoint_id2name'].items())]


def check_definition(meta: dict) -> Iterator[Problem]:
    """Ids count from 0, names are unique, weights are as many as keypoints, links join two keypoints."""
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
            yield Problem(
                'keypoint-definition', f'skeleton_info has the link {link}: two different keypoints are wanted'
            )


def check_flip(meta: dict) -> Iterator[Problem]:
    """Swapping twice changes nothing, and left and right of a name are swapped with each other."""
    names, swap = meta['keypoint_id2name'], dict(zip(meta['keypoint_id2name'], meta['flip_indices']))
    by_name = {canonical(name): k for k, name in names.items()}
    for k, other in swap.items():
        mirror = mirrored(names[k])
        if swap[other] != k:
            back = names[swap[other]]
            yield Problem('keypoint-sides', f'{names[k]} swaps with {names[other]}, which swaps with {back}')
        elif mirror in by_name and by_name[mirror] != other:
            yield Problem('keypoint-sides', f'{names[k]} swaps with {names[other]}, not {names[by_name[mirror]]}')
        elif mirror is not None and mirror not in by_name and other == k:
            yield Problem('keypoint-pairing', f'{names[k]} swaps with nothing')


def check_half_body(meta: dict, steps: dict[str, dict]) -> Iterator[Problem]:
    """``RandomHalfBody`` has an upper and a lower half to choose from."""
    for half in ('upper', 'lower'):
        if 'RandomHalfBody' in steps and not meta[f'{half}_body_ids']:
            yield Problem('half-body', f'no keypoint in keypoint_info has type={half!r}')


def check_sigmas(meta: dict) -> Iterator[Problem]:
    """As many as keypoints, finite, above 0 and below 1."""
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
    """The head predicts as many keypoints as the dataset gives."""
    if out_channels is not None and out_channels != num_outputs:
        yield Problem('keypoint-count', f'model.head.out_channels is {out_channels}, the dataset has {num_outputs}')


def check_categories(categories: list[dict], meta: dict, num_laid_out: int) -> Iterator[Problem]:
    """The file's names of keypoints against metainfo's, order included; only the first difference is named.

    Args:
        categories (list[dict]): Of the annotation file.
        meta (dict): The dataset's metainfo.
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
    known = {canonical(name): k for k, name in enumerate(names)}
    differing = [k for k, name in enumerate(found) if canonical(str(name)) != canonical(names[k])]
    moved = [k for k in differing if canonical(str(found[k])) in known]
    if differing:
        first = (moved or differing)[0]
        rest = f'; {len(differing)} of {len(found)} differ'
        kind = 'keypoint-order' if moved else 'keypoint-names'
        yield Problem(kind, f'{where}: keypoints[{first}] is {found[first]!r}, in metainfo {names[first]!r}{rest}')
