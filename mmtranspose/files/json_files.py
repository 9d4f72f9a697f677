"""JSON files: read with errors that name the file, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.fileio import put_text

from mmtranspose.errors import InputError


def read_json(path: Path, what: str) -> object:
    """A JSON file's content.

    Raises:
        InputError: It is missing or not JSON; the message calls it ``what``.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f'{what} {path} does not exist') from None
    except (ValueError, OSError, RecursionError) as error:  # ValueError: no JSON, no text, a number of 5000 digits
        raise InputError(f'{what} {path} is not JSON: {error}') from None


def to_json(content: object, indent: int | None = None) -> str:
    """JSON of dicts, lists, and NumPy's numbers."""
    return json.dumps(content, indent=indent, default=float)


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file: beside it first, then renamed."""
    put_text(to_json(content, indent=1), str(path))
