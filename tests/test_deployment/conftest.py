"""Exported files of the tiny model, each made once for all tests."""

from pathlib import Path

import numpy as np
import pytest

from mmtranspose.datasets.synthetic import render_scene
from mmtranspose.deployment import export_model


@pytest.fixture(scope='session')
def exported(tiny_config, tiny_checkpoint, made_once) -> Path:
    """Folder of ``image.onnx``, with dependency, and ``crops.onnx``, with dependency and flip test."""
    from mmtranspose.loading.init_model import init_model

    def make(folder: Path) -> None:
        model = init_model(tiny_config, tiny_checkpoint)
        export_model(model, folder / 'image.onnx', tiny_checkpoint, dependency=True)
        export_model(model, folder / 'crops.onnx', graph='crops', dependency=True, flip_test=True)

    return made_once('exported', make)


@pytest.fixture(scope='session')
def scene() -> tuple[np.ndarray, np.ndarray]:
    """An image (180, 240, 3) of drawn people, and three boxes, one of them half outside."""
    image = render_scene(np.random.default_rng(3), (240, 180)).image
    return image, np.array([[20.5, 10.25, 90.0, 170.0], [100, 30, 180, 150], [-40, 60, 60, 200]], np.float32)
