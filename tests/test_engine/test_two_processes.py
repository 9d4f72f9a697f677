"""What processes that train together must do alike: gradients, the step to stop at, losses that are not finite.

The functions run in two processes of the training server; their assertions end them.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import get_rank
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mmtranspose.engine.hooks import ChannelsLastHook
from mmtranspose.engine.non_finite import LossGuard, Step
from mmtranspose.engine.preemption import Agreement
from mmtranspose.errors import TrainingError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ConvTranspose2d(4, 2, 4, 2, 1))


def gradients(model: nn.Module, rank: int) -> list[torch.Tensor]:
    image = torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(rank))
    model.zero_grad()
    (model(image) ** 2).sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def first_and_second_step() -> None:
    distributed.init_process_group('gloo')
    runner = SimpleNamespace(model=DistributedDataParallel(network()), cfg={})
    runner.wrap_model = lambda config, model: DistributedDataParallel(model)
    ChannelsLastHook().before_run(runner)
    assert runner.model.module[0].weight.is_contiguous(memory_format=torch.channels_last)
    expected = [torch.stack(both).mean(0) for both in zip(*(gradients(network(), rank) for rank in (0, 1)))]
    for _ in range(2):
        torch.testing.assert_close(gradients(runner.model, get_rank()), expected, rtol=1e-4, atol=1e-5)


def agree(noticed: list[list[list[bool]]], expected: list[list[bool]], now: list[bool]) -> None:
    distributed.init_process_group('gloo')
    agreement = Agreement()
    assert agreement.wait() is None
    assert [agreement(*step) for step in noticed[get_rank()]] == expected
    assert agreement.now(get_rank() == 1) == now
    assert agreement.wait() is None  # nothing is under way, so processes may end


def guard(bad_steps: list[list[int]], messages: list[str | None]) -> None:
    distributed.init_process_group('gloo')
    rank = get_rank()
    steps = [Step(n, n, dict(loss=float('nan') if n in bad_steps[rank] else 1.0)) for n in range(4)]
    runner = SimpleNamespace(epoch=0, train_loop=None, message_hub=SimpleNamespace(runtime_info={}))
    message = None
    try:
        LossGuard().check(steps, runner)
    except TrainingError as error:
        message = str(error).partition(';')[0]
    assert message == messages[rank], message


@pytest.fixture
def in_two_processes(server, tmp_path):
    return lambda function, *arguments: server.call(function, *arguments, ranks=2, log=tmp_path / 'log')


def test_gradients_of_the_first_step_are_the_mean_of_both_processes(in_two_processes):
    in_two_processes(first_and_second_step)


def test_all_processes_hear_at_the_same_step(in_two_processes):
    no, stop, save = [False, False], [True, False], [False, True]
    noticed = [[no, no, save, no, no], [no, stop, no, no, no]]
    in_two_processes(agree, noticed, [no, no, stop, save, no], [True])


@pytest.mark.parametrize(
    ('bad_steps', 'messages'),
    [
        ([[], []], [None, None]),
        ([[2], []], ['loss is nan at step 3 (epoch 1, batch 3)', 'a loss of another process is not finite at step 3']),
        ([[3], [1]], ['a loss of another process is not finite at step 2', 'loss is nan at step 2 (epoch 1, batch 2)']),
        ([[1], [1, 2]], ['loss is nan at step 2 (epoch 1, batch 2)'] * 2),
    ],
)
def test_all_processes_stop_at_a_loss_of_one(in_two_processes, bad_steps, messages):
    in_two_processes(guard, bad_steps, [message and f'training stopped: {message}' for message in messages])
