"""A typed script as a user writes it: `mypy --strict` checks it in test_packaging.py, nothing runs it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import assert_type

from mmtranspose.apis import (
    InputError,
    TopdownPipeline,
    accelerate,
    decelerate,
    explain_topdown,
    inference_topdown,
    init_model,
    load_bboxes,
)
from mmtranspose.explain import ExplainOptions, PoseExplanation, attention_maps
from mmtranspose.typing import PoseEstimator


def load(checkpoint: Path) -> PoseEstimator:
    try:
        return init_model('transpose-r-a3', checkpoint, device='cpu', cfg_options={'model.test_cfg.flip_test': False})
    except InputError as error:
        raise SystemExit(str(error)) from None


def most_depended_on(image: NDArray[np.uint8], boxes: list[list[float]]) -> dict[str, tuple[int, int]]:
    """The token that each keypoint of the first person depends on most."""
    (explanation, *_) = explain_topdown(load(Path('released.pth')), image, boxes, affect=True, methods=['rollout'])
    assert_type(explanation, PoseExplanation)
    rows, columns = explanation.dependency.shape[-2:]
    tokens = explanation.dependency.mean(axis=0).reshape(-1, rows * columns).argmax(axis=1)
    return {name: divmod(int(token), columns) for name, token in zip(explanation.names, tokens)}


def main(folder: Path) -> None:
    model = load(folder / 'released.pth')
    assert_type(model.extract_feat(torch.zeros(1, 3, 256, 192)), tuple[Tensor, ...])
    maps = attention_maps(model, torch.zeros(1, 3, 256, 192), torch.zeros(1, 1, 2, dtype=torch.long), heads='all')
    print(assert_type(maps, Tensor).shape)
    boxes = load_bboxes(str(folder / 'boxes.json'))
    for image in sorted(folder.glob('*.jpg')):
        print(image.name, len(inference_topdown(model, image, boxes)), len(explain_topdown(model, str(image), boxes)))
    fast = accelerate(model, dtype='fp32')
    print(len(inference_topdown(fast, np.zeros((8, 8, 3), np.uint8), [[0, 0, 8, 8]])))
    model = decelerate(fast)
    pipeline = TopdownPipeline(model, boxes='whole-image', explain=ExplainOptions(heads='all'))
    for result in pipeline(folder):
        print(result.frame.image.shape, len(result.samples), result.explanations)


if __name__ == '__main__':
    main(Path('images'))
