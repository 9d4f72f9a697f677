"""Model, image and session for the app without its page, by ``pytest_plugins = ['app_fixtures']`` in a test module."""

import cv2
import pytest
import torch
from app_sessions import BOXES

from mmtranspose.apis import init_model
from mmtranspose.app import Explorer


@pytest.fixture(scope='module')
def model(tiny_config, tiny_checkpoint):
    model = init_model(tiny_config, tiny_checkpoint)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.head.final_layer.weight)  # peaks that differ between keypoints
    return model


@pytest.fixture(scope='module')
def explorer(model):
    return Explorer(model, lambda images: [BOXES] * len(images))


@pytest.fixture(scope='module')
def image(people):
    return cv2.imread(str(people / 'val' / '000000000001.jpg'))


@pytest.fixture
def session(explorer, image):
    return explorer.start(image)
