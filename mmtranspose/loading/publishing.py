"""Write the weights of a trained checkpoint as a small file to share."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import partial_file
from mmtranspose.loading.checkpoint import Checkpoint
from mmtranspose.typing import PathLike


def publish(source: PathLike, output: PathLike, half: bool = True) -> Path:
    """Write the weights of a checkpoint, and nothing else, as ``.safetensors``.

    Optimiser, schedules, logs and paths of the machine stay behind. In a checkpoint of a run with ``EMAHook`` the
    weights are the moving averages, as mmengine saves them. Loading turns half precision into single precision again.

    Args:
        source (str | Path): The checkpoint.
        output (str | Path): The file to write, ``*.safetensors``.
        half (bool): Write floating-point numbers in 16 bits.

    Returns:
        Path: The file.

    Raises:
        InputError: The source cannot be read or is not finite; a number is too large for 16 bits; the output has
            another name or is the source; safetensors is not installed.
    """
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise InputError('publishing needs the package safetensors: pip install safetensors') from error
    output = Path(output).expanduser()
    if output.suffix != '.safetensors':
        raise InputError(f'{output}: the file must end in .safetensors')
    if output.exists() and output.samefile(Path(source).expanduser()):
        raise InputError(f'{output} is the checkpoint itself; choose another name')
    checkpoint = Checkpoint.read(source)
    checkpoint.require_as_written()
    tensors = {name: _stored(name, value, half) for name, value in checkpoint.weights.items()}
    data = save(tensors)
    with partial_file(output, data) as partial:
        partial.write_bytes(data)
    return output


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().clone(memory_format=torch.contiguous_format)
    if not half or not value.is_floating_point():
        return value
    smaller = value.half()
    if not smaller.isfinite().all():
        raise InputError(f'{name} has numbers up to {value.abs().max():.3g}, too large for 16 bits; use --full')
    return smaller
