"""Show Sphinx's roles in docstrings (``:func:`~a.b.c```) as code, linked where the reference has the name."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r':(?:class|func|meth|mod|attr|data|exc):`(?P<short>~?)(?P<name>[^`]+)`')


class SphinxRoles(griffe.Extension):
    """Rewrites the docstring of every object that mkdocstrings shows.

    Args:
        names (list[str]): The dotted names on the pages of the reference.
    """

    def __init__(self, names: list[str]):
        self.names = {name.rpartition('.')[2]: name for name in names}

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(self.shown, obj.docstring.value)

    def shown(self, role: re.Match[str]) -> str:
        """Markdown in place of a role."""
        last = role['name'].rpartition('.')[2]
        code = f'`{last if role["short"] else role["name"]}`'
        return f'[{code}][{self.names[last]}]' if last in self.names else code
