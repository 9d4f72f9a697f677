"""Which devices compute with float64: Apple's (MPS) has no such numbers."""

from __future__ import annotations

import torch


def has_float64(device: torch.device) -> bool:
    """Whether a device has numbers of 64 bits."""
    return device.type != 'mps'


def precise(device: torch.device) -> torch.device:
    """Where to compute with float64 what is on a device: there, or on the CPU."""
    return device if has_float64(device) else torch.device('cpu')
