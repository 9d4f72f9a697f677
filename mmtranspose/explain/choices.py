"""Options that are one of a few words."""

from __future__ import annotations

from collections.abc import Iterable


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Check an option.

    Raises:
        ValueError: ``value`` is none of ``choices``.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(f'{name}={value!r} is unknown; choose {" or ".join(map(repr, choices))}')
