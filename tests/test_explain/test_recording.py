"""Which networks can be explained, and what the others are told."""

import pytest
import torch
from tiny import tiny_transpose
from torch import nn

from mmtranspose.errors import UnsupportedModelError
from mmtranspose.explain import attention_maps
from mmtranspose.explain.recording import require_transpose

CELLS = torch.zeros(1, 1, 2, dtype=torch.long)
INPUTS = torch.zeros(1, 3, 64, 48)


@pytest.fixture
def model():
    return tiny_transpose().eval()


def test_transpose_passes(model):
    require_transpose(model)


def compiled(model):
    return torch.compile(model)


def compiled_in_place(model):
    model.neck.encoder.compile()
    return model


def compiled_part(model):
    model.backbone = torch.compile(model.backbone)
    return model


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (compiled, 'the model is compiled.*before torch.compile'),
        (compiled_in_place, 'model.neck.encoder is compiled.*keep the eager model'),
        (compiled_part, 'model.backbone is compiled'),
        (lambda model: torch.jit.trace(model.backbone, INPUTS), 'is an exported or scripted .*init_model'),
        (lambda model: torch.fx.symbolic_trace(model.head.final_layer), 'exported or scripted Conv2d: .*eager model'),
        (lambda model: torch.export.export(model.backbone, (INPUTS,)), 'exported or scripted ExportedProgram'),
        (lambda model: nn.DataParallel(model), 'wrapped in DataParallel; explain model.module'),
        (lambda model: nn.Linear(1, 1), 'it has no neck. Only a pose estimator with .*TransPoseNeck'),
        (lambda model: 'model.pth', 'must be a pose estimator, not a str'),
    ],
)
def test_what_others_are_told(model, change, words):
    with pytest.raises(UnsupportedModelError, match=words):
        attention_maps(change(model), INPUTS, CELLS)


def test_another_neck(model):
    model.neck = nn.Identity()
    with pytest.raises(UnsupportedModelError, match='its neck is a Identity. Only a pose estimator with'):
        require_transpose(model)


def test_layers_that_do_not_run_as_modules(model):
    model.neck.encoder.forward = lambda tokens, pos=None: tokens  # as a compiled function in its place would
    with pytest.raises(UnsupportedModelError, match='0 of 2 attention layers ran where they could be recorded'):
        attention_maps(model, INPUTS, CELLS)
