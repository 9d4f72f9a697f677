"""Take what tells of a machine out of the text of a config: its folders, and where it wrote and read checkpoints."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PureWindowsPath

OF_THE_RUN = ('work_dir', 'load_from', 'resume', 'launcher')


def neutral_config(text: str) -> str:
    """Remove the settings of a run, and shorten paths from the root of a disk, in the text of a config.

    The text is parsed, never run. An absolute ``data_root`` becomes ``data/NAME``, as MMPose's configs lay data out,
    and so do paths below it; of other absolute paths the last part stays. Relative paths and URLs stay as they are.

    Args:
        text (str): Assignments, as ``Config.pretty_text`` writes them.

    Returns:
        str: The text with its layout, without top-level ``work_dir``, ``load_from``, ``resume`` and ``launcher``.

    Raises:
        SyntaxError: The text is no Python.
    """
    tree = ast.parse(text)
    data, roots = text.encode(), sorted(set(filter(is_absolute, _data_roots(tree))), key=len, reverse=True)
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    edits = []
    for statement in tree.body:
        if _sets(statement) in OF_THE_RUN:
            edits.append((starts[statement.lineno - 1], starts[statement.end_lineno or -1], b''))
            continue
        for node, value in _texts(statement):
            if is_absolute(value):
                begin, end = starts[node.lineno - 1] + node.col_offset, starts[(node.end_lineno or 0) - 1]
                edits.append((begin, end + (node.end_col_offset or 0), repr(shortened(value, roots)).encode()))
    for begin, end, new in sorted(edits, reverse=True):
        data = data[:begin] + new + data[end:]
    return data.decode()


def is_absolute(path: str) -> bool:
    """Whether a text is a path from the root of a disk or from somebody's home, on any system."""
    windows = PureWindowsPath(path)
    return len(path) > 1 and (path.startswith(('/', '~', 'file:')) or bool(windows.drive and windows.root))


def shortened(path: str, roots: list[str]) -> str:
    """The path below ``data/`` if it is one of ``roots`` or lies below one; otherwise its last part."""
    plain = path.replace('\\', '/')
    slash = '/' if plain.endswith('/') else ''
    for root in roots:
        above = root.replace('\\', '/').rstrip('/')
        if plain.rstrip('/') == above or plain.startswith(f'{above}/'):
            return f'data/{PureWindowsPath(above).name}{plain[len(above) :]}'
    return PureWindowsPath(plain).name + slash


def _sets(statement: ast.stmt) -> str | None:
    """The name that a statement assigns to, if it is one."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else None


def _data_roots(tree: ast.Module) -> Iterator[str]:
    """The values of every ``data_root``: assigned, an argument of ``dict(...)``, or an entry of ``{...}``."""
    for node in ast.walk(tree):
        pairs: list[tuple[object, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(_sets(node), node.value)]
        elif isinstance(node, ast.keyword):
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [(getattr(key, 'value', None), value) for key, value in zip(node.keys, node.values)]
        for name, value in pairs:
            if name == 'data_root' and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def _texts(node: ast.AST) -> Iterator[tuple[ast.Constant, str]]:
    """The texts in a statement, but for those inside formatted ones, which have no place of their own."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node, node.value
    elif not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)
