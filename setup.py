"""Packaging. No requirements are declared, so that mmtranspose can be installed into any MMPose environment.

mmpose itself cannot be required: it requires chumpy, which does not build. ``make setup`` makes a whole environment,
and ``mmtranspose doctor`` says what an existing one lacks.

``mmtranspose/.mim`` holds links to configs, tools and indices, so that an editable install follows the checkout; a
wheel contains the files themselves.
"""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / 'mmtranspose'


def read_version() -> str:
    text = (PACKAGE / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE).group(1)


def read_readme() -> str:
    readme = HERE / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.is_file() else ''


def mim_files() -> list:
    """List all files below ``mmtranspose/.mim``, through its links, relative to the package."""
    root = PACKAGE / '.mim'
    files = [Path(folder, name) for folder, _, names in os.walk(root, followlinks=True) for name in names]
    kept = [file for file in files if '__pycache__' not in file.parts]
    if not any(file.name == 'model-index.yml' and file.is_file() for file in kept):
        raise SystemExit(f'{root} is not complete: its links to configs, tools and indices are broken; clone again')
    return sorted(str(file.relative_to(PACKAGE)) for file in kept)


setup(
    name='mmtranspose',
    version=read_version(),
    description='TransPose for MMPose: keypoints with transformers, and what the predictions depend on',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmtranspose', 'mmtranspose.*', 'mmtranspose_cli', 'mmtranspose_cli.*']),
    package_dir={'': '.'},  # the default; named here, editable installs use a .pth file, which type checkers follow
    package_data={
        'mmtranspose': ['py.typed', *mim_files()],
        'mmtranspose.demo': ['*.jpg'],
        'mmtranspose.app': ['*.js'],
        'mmtranspose.deployment.web_folder': ['*.html', '*.css', '*.js', '*.svg', '*.webmanifest'],
        'mmtranspose.visualization.explanation_page': ['*.html', '*.css', '*.js'],
        'mmtranspose.visualization.report_page': ['*.html', '*.css', '*.js'],
    },
    include_package_data=False,
    python_requires='>=3.10',
    extras_require={
        'app': ['gradio'],
        'dev': ['mypy', 'playwright', 'pytest', 'pytest-xdist', 'ruff'],
        'explain': ['captum'],
        'export': ['nncf', 'onnx', 'onnxruntime', 'onnxscript', 'openvino'],
        'parquet': ['pyarrow'],
        'ray': ['onnxruntime', 'pillow', 'pyarrow', 'ray[data]'],
        'safetensors': ['safetensors'],
        'video': ['av'],
    },
    entry_points={'console_scripts': ['mmtranspose = mmtranspose_cli.main:main']},
)
