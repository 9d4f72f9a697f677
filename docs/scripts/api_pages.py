"""Reference pages of the Python API: what mkdocstrings is to show, from the names that are public."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mmtranspose.registration import LOCATIONS, PACKAGE


@dataclass
class ApiPage:
    """A page: file name, title, what is said first, and the names, as they are imported or where they are defined."""

    file: str
    title: str
    text: str
    names: list[str]
    members: bool = True

    def markdown(self) -> str:
        """The page for mkdocstrings."""
        options = '' if self.members else '\n    options:\n      members: false'
        blocks = '\n\n'.join(f'::: {name}{options}' for name in self.names)
        return f'# {self.title}\n\n{self.text}\n\n{blocks}\n'


MODULES = (
    ('apis.md', 'mmtranspose.apis', 'Load models, estimate poses, make models faster, export and explain them.'),
    ('explain.md', 'mmtranspose.explain', 'Maps of what predictions depend on, for programs that go beyond '
     '[`explain_topdown`](apis.md#mmtranspose.apis.explain_topdown).'),
    ('detection.md', 'mmtranspose.apis.detection', "Find people by mmdet's detectors."),
)  # fmt: skip
# MMPose's and mmengine's registries, by the page that their classes stand on.
REGISTERED = (
    ('models.md', 'Models', 'in `model`', ('model', 'KEYPOINT_CODECS')),
    ('training.md', 'Training', 'in `custom_hooks`, `default_hooks`, `train_cfg` and `optim_wrapper`',
     ('hook', 'loop', 'optimizer_wrapper', 'function')),
    ('data.md', 'Datasets and metrics', 'in dataloaders, pipelines and evaluators', ('dataset', 'transform', 'metric')),
)  # fmt: skip


def api_pages() -> list[ApiPage]:
    """All pages of the Python API."""
    registered = dict(registered_names())
    pages = [
        ApiPage(file, f'`{module}`', text, [f'{module}.{name}' for name in import_module(module).__all__])
        for file, module, text in MODULES
    ]
    for file, title, place, registries in REGISTERED:
        names = [name for registry in registries for name in registered.pop(registry, [])]
        text = (
            f'Types that configs may name {place}. `import mmtranspose`, or `custom_imports` of a config, registers '
            "them in MMPose's and mmengine's registries."
        )
        pages.append(ApiPage(file, title, text, names, members=title == 'Models'))
    if registered:
        raise SystemExit(f'docs/scripts/api_pages.py has no page for the registries {", ".join(registered)}')
    return pages


def registered_names() -> Iterator[tuple[str, list[str]]]:
    """Registry to the dotted names of our classes in it."""
    found: dict[str, list[str]] = {}
    for registry, theirs, ours in LOCATIONS:
        import_module(theirs)
        import_module(ours)
        for value in registry.module_dict.values():
            name = f'{value.__module__}.{value.__qualname__}'
            if name.startswith(f'{PACKAGE}.') and name not in found.setdefault(registry.name, []):
                found[registry.name].append(name)
    yield from found.items()


def undocumented(pages: list[ApiPage]) -> list[str]:
    """Public names, and public methods of public classes, that have no docstring of their own."""
    return [name for page in pages for name in page.names for name in _without_docstring(name, page.members)]


def _without_docstring(name: str, members: bool) -> Iterator[str]:
    module, _, attribute = name.rpartition('.')
    value: Any = getattr(import_module(module), attribute)
    if not (vars(value).get('__doc__') if isinstance(value, type) else value.__doc__):
        yield name
    if isinstance(value, type) and members:
        for key, member in vars(value).items():
            function = getattr(member, '__func__', getattr(member, 'fget', member))
            if not key.startswith('_') and callable(function) and not function.__doc__:
                yield f'{name}.{key}'
