"""The authors' release as numbers: weights by the fill rule, input, and what came out (tests/data)."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parent / 'data'
CONFIGS = Path(__file__).parents[1] / 'configs' / 'body_2d_keypoint' / 'topdown_heatmap'
CONFIG_OF = {
    'r-a3': 'coco/td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py',
    'r-a4': 'coco/td-hm_transpose-r-a4_1xb20-230e_coco-256x192.py',
    'h-s': 'coco/td-hm_transpose-h-s_2xb16-240e_coco-256x192.py',
    'h-a4': 'coco/td-hm_transpose-h-a4_4xb14-240e_coco-256x192.py',
    'h-a6': 'coco/td-hm_transpose-h-a6_4xb14-240e_coco-256x192.py',
}


def config_path(variant: str) -> str:
    return str(CONFIGS / CONFIG_OF[variant])


@lru_cache
def facts(variant: str) -> dict:
    return json.loads((DATA / f'{variant}.json').read_text())


@lru_cache
def arrays(variant: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f'{variant}.npz') as file:
        return dict(file)


def fill(name: str, shape: list[int], scale: dict[str, float]) -> np.ndarray:
    """One tensor of the release, by the rule of the reference's README."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    last = name.rsplit('.', 1)[-1]
    if last == 'num_batches_tracked':
        return np.zeros(shape, np.int64)
    if last == 'running_var':
        return rng.uniform(0.5, 1.5, shape)
    if last in ('running_mean', 'bias', 'in_proj_bias'):
        return rng.standard_normal(shape) * 0.1
    if len(shape) == 1:
        return rng.uniform(0.5, 1.5, shape)
    return rng.standard_normal(shape) * np.sqrt(1 / np.prod(shape[1:])) * scale.get(name, 1)


@lru_cache
def released_state_dict(variant: str) -> dict[str, torch.Tensor]:
    """The release's state dict: its names, in its order, float32."""
    known = facts(variant)
    state = {}
    for name, shape in known['state_dict']:
        if name == 'pos_embedding':
            value = arrays(variant)['pos_embedding'][:, None]
        else:
            value = fill(name, shape, known['scale'])
        value = np.asarray(value)
        state[name] = torch.from_numpy(value if value.dtype == np.int64 else value.astype(np.float32))
    return state


def golden_input() -> torch.Tensor:
    """(2, 3, 256, 192), as the network takes it."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 256, 192)).astype(np.float32))
