"""Parse versions, and write ranges of them."""

from __future__ import annotations

import re


def parse(version: str) -> tuple[int, ...]:
    """Turn a version into comparable numbers: '2.11.0+cu130' -> (2, 11), '2.0' -> (2,).

    Trailing zeros are dropped, as is everything after the numbers.
    """
    numbers = [int(number) for number in (re.match(r'\d+(?:\.\d+)*', version) or ['0'])[0].split('.')]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def limits(low: str, below: str) -> str:
    """Write a range as pip does: ('2.6', '3') -> '>=2.6,<3'."""
    return ','.join([f'>={low}'] * bool(low) + [f'<{below}'] * bool(below))
