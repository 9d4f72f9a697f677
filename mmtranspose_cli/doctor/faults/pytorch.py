"""Faults of torch, CUDA and torchvision."""

from __future__ import annotations

from mmtranspose_cli.doctor.cures import INSTALL, REINSTALL, Step
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import BROKEN, Finding, broken, note
from mmtranspose_cli.doctor.faults.requirements import torchvision_fits, torchvision_range

INDEX = 'from the index that torch came from'


def torch_too_old(env: Environment) -> list[Finding]:
    """torch is older than 2.6 and loads checkpoints as pickles, which can run code."""
    if not env.version('torch') or env.parsed('torch') >= (2, 6):
        return []
    compiled = env.outcome('mmcv').info.get('compiled', False)
    return broken(
        'torch',
        'needs 2.6 or newer',
        f'torch {env.version("torch")} loads checkpoints as whole pickles, which can run code; torch 2.6 and newer '
        'load data only, and mmtranspose relies on that.',
        Step(INSTALL, 'torch>=2.6,<3'),
        Step(INSTALL, 'torchvision'),
        advice='mmcv is compiled for the old torch: compile it anew afterwards.' if compiled else '',
    )


def torchvision_of_another_torch(env: Environment) -> list[Finding]:
    """torchvision was made for another version or build of torch."""
    outcome, wanted = env.outcome('torchvision'), torchvision_range(env)
    if not env.works('torch') or outcome.state in ('missing', 'untried') or not wanted:
        return []
    fits = torchvision_fits(env)
    versions = f'torchvision {env.version("torchvision")} beside torch {env.version("torch")}'
    if outcome.state == 'ok':
        sentence = f'{versions}: this torch goes with torchvision{wanted}. Its operators work nevertheless.'
        return [] if fits else note('torchvision', 'made for another torch', sentence)
    cause = (
        'one of them is a build for the CPU only, or for another CUDA'
        if fits
        else f'this torch needs torchvision{wanted}'
    )
    return broken(
        'torchvision',
        'does not fit torch',
        f'{versions}: {cause}. {outcome.error}',
        Step(REINSTALL, f'--force-reinstall --no-deps "torchvision{wanted}"', INDEX),
    )


def gpu_not_used(env: Environment) -> list[Finding]:
    """There is a GPU or its driver, and torch cannot use the GPU."""
    outcome, build = env.outcome('cuda'), env.outcome('torch').info
    if not env.works('torch'):
        return [Finding(('CUDA',), BROKEN, 'unknown without torch')]
    if outcome.state != 'ok':
        return broken(
            'CUDA',
            'a GPU that fails',
            f'torch sees a GPU and cannot compute on it: {outcome.error}',
            advice="Install the torch build for this GPU and driver, or hide the GPU: CUDA_VISIBLE_DEVICES=''.",
        )
    if outcome.info['gpus'] or not env.has_driver:
        return []
    if not build.get('cuda'):
        sentence = 'This torch is built for the CPU only, and there is an NVIDIA driver.'
        return note('CUDA', 'CPU build beside a GPU driver', sentence, 'Install a torch built for CUDA to use the GPU.')
    return note(
        'CUDA',
        'driver there, no GPU usable',
        f'torch is built for CUDA {build["cuda"]} and can use no GPU, although an NVIDIA driver is there.',
        'See what `nvidia-smi` says: the driver may be too old for this CUDA, or CUDA_VISIBLE_DEVICES hides the GPU.',
    )
