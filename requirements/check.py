"""Whether an existing environment has what mmtranspose needs: ``install.py check``, run by its own Python."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

# distributions that provide it (the first is the one to install), module, lowest, below
NEEDS = (
    ('torch', 'torch', '2.4', '3'),  # torch.serialization.add_safe_globals
    ('torchvision', 'torchvision', '', ''),
    ('mmengine', 'mmengine', '0.10', '1'),
    ('mmcv-lite mmcv', 'mmcv', '2.0', '2.2'),  # mmdet 3.3.0 asserts the upper bound
    ('mmdet', 'mmdet', '3.0', '3.4'),
    ('mmpose', 'mmpose', '1.3', '1.4'),
    ('numpy', 'numpy', '1.21', ''),
    (
        'opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless',
        'cv2',
        '4.0',
        '',
    ),
    ('xtcocotools', 'xtcocotools', '1.12', ''),
    ('setuptools', 'pkg_resources', '', '81'),  # mmengine 0.10.7 imports pkg_resources
    ('json_tricks', 'json_tricks', '', ''),
    ('munkres', 'munkres', '', ''),
    ('scipy', 'scipy', '', ''),
    ('matplotlib', 'matplotlib', '', ''),
    ('pillow', 'PIL', '', ''),
    ('pycocotools', 'pycocotools', '', ''),
    ('shapely', 'shapely', '', ''),
    ('terminaltables', 'terminaltables', '', ''),
    ('tqdm', 'tqdm', '', ''),
)
# Compiled modules that can be there and yet not fit numpy or torch.
COMPILED = {'xtcocotools': 'xtcocotools.mask', 'torchvision': 'torchvision'}


def parse(version: str) -> tuple:
    """'2.11.0+cu130' -> (2, 11, 0), '2.0' -> (2,): trailing zeros do not count."""
    numbers = [int(number) for number in re.match(r'\d+(?:\.\d+)*', version + '.').group().split('.')]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def wanted(low: str, below: str) -> str:
    return ','.join([f'>={low}'] * bool(low) + [f'<{below}'] * bool(below)) or 'any'


def find(distributions: str, module: str) -> tuple[str, str]:
    """The distribution that provides a module, and its version; version '' if there is none."""
    from importlib import metadata

    names = distributions.split()
    if find_spec(module) is None:
        return names[0], ''
    for name in names:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return names[0], str(getattr(__import__(module), '__version__', '0'))  # as some conda packages are


def import_error(module: str) -> str:
    """Last line of what importing a module in a fresh process complains of, or ''."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', f'import {module}'], stderr=subprocess.PIPE)
    lines = done.stderr.decode(errors='replace').strip().splitlines()
    return (lines[-1] if lines else 'crashed') if done.returncode else ''


def problems(also=()) -> list[tuple[str, str, str]]:
    """(distribution, wanted range, what was found) of everything missing, too old, too new or broken."""
    rows = []
    for distributions, module, low, below in [*NEEDS, *((name, name, '', '') for name in also)]:
        name, version = find(distributions, module)
        if not version:
            rows.append((name, wanted(low, below), 'missing' if module == name else f'missing (module {module})'))
        elif low and parse(version) < parse(low):
            rows.append((name, wanted(low, below), f'{version}, too old'))
        elif below and parse(version) >= parse(below) and module != 'pkg_resources':
            rows.append((name, wanted(low, below), f'{version}, too new'))
        elif module in COMPILED:
            error = import_error(COMPILED[module])
            rows += [(name, wanted(low, below), f'{version}, broken: {error}')] if error else []
    return rows


def cures(rows) -> list[str]:
    """The pip commands that bring what ``problems`` found, in the order to run them."""
    ranges = {name: '' if limits == 'any' else limits for name, limits, _ in rows}
    numpy = parse(find('numpy', 'numpy')[1] or ('1' if sys.version_info < (3, 13) else '2'))
    build = 'xtcocotools' in ranges and (numpy >= (2,) or sys.version_info >= (3, 12))
    last = []
    if 'torch' in ranges:
        ranges['torchvision'] = ''
    elif ranges.pop('torchvision', None) is not None:
        last.append(f'"torchvision{torchvision_range()}"  # from the index that torch came from')
    if build:  # its wheels are for Python 3.11 at most, and made on numpy 1
        del ranges['xtcocotools']
        ranges.update(cython='', setuptools='<81')
        options = '--no-build-isolation --no-deps --force-reinstall --no-cache-dir --no-binary xtcocotools'
        last.append(f'{options} xtcocotools==1.14.3  # needs a C compiler')
    if 'mmpose' in ranges:
        last.append(f'--no-deps "mmpose{ranges.pop("mmpose")}"')
    if ranges and numpy < (2,):
        ranges['numpy'] = '>=1.21,<2'  # or something else brings numpy 2, which the xtcocotools wheels do not bear
    first = [' '.join(f'"{name}{limits}"' for name, limits in ranges.items())] if ranges else []
    return [f'{sys.executable} -m pip install {arguments}' for arguments in first + last]


def torchvision_range() -> str:
    """torchvision 0.(n + 15) belongs to torch 2.n; another one would replace torch, or fail at import."""
    major, minor = (*parse(find('torch', 'torch')[1]), 0)[:2]
    return f'==0.{minor + 15}.*' if major == 2 else ''


def check(also=()) -> int:
    """Prints what the environment lacks and the commands that cure it.

    Args:
        also: Further modules that must be there, named as their distributions (``pytest``).

    Returns:
        int: The exit status, 1 where something is missing, too old, too new or broken.
    """
    label = '{} (Python {}.{})'.format(sys.executable, *sys.version_info[:2])
    if sys.version_info < (3, 10):
        print(f'{label} is too old: mmtranspose needs Python 3.10 or newer.', file=sys.stderr)
        return 1
    rows = [('module', 'wanted', 'found'), *problems(also)]
    if len(rows) == 1:
        return 0
    print(f'{label} lacks what mmtranspose needs:', file=sys.stderr)
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, limits, found in rows:
        print(f'  {name:{widths[0]}}  {limits:{widths[1]}}  {found}', file=sys.stderr)
    print('Cure:', *cures(rows[1:]), sep='\n  ', file=sys.stderr)
    return 1
