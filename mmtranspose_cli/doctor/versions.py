"""Comparing versions."""

from __future__ import annotations

import re


def parse(version: str) -> tuple:
    """'2.11.0+cu130' -> (2, 11), '2.0' -> (2,): trailing zeros do not count, nor does what follows the numbers."""
    numbers = [int(number) for number in (re.match(r'\d+(?:\.\d+)*', version) or ['0'])[0].split('.')]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def limits(low: str, below: str) -> str:
    """A range as pip writes it: ('2.6', '3') -> '>=2.6,<3'."""
    return ','.join([f'>={low}'] * bool(low) + [f'<{below}'] * bool(below))
