"""Packaging. No requirement is declared: mmtranspose goes into an existing MMPose environment and forces no version.

mmpose itself cannot be required: it requires chumpy, which does not build. ``make setup`` makes a whole environment.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def read_version() -> str:
    text = (HERE / 'mmtranspose' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE).group(1)


def read_readme() -> str:
    readme = HERE / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


setup(
    name='mmtranspose',
    version=read_version(),
    description='TransPose for MMPose: keypoints with transformers, and what they looked at',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmtranspose', 'mmtranspose.*']),
    python_requires='>=3.10',
    extras_require={'dev': ['pytest', 'ruff']},
)
