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

OWNER = 'OWNER'  # the repository's owner, not known yet: `make release-check` refuses this placeholder
REPOSITORY = f'https://github.com/{OWNER}/mmtranspose'

# From the oldest version that requirements/*.txt has for any Python to the next major version after the newest one, or
# where mmtranspose_cli/optional_packages.py ends.
# pyarrow and ray have no pin there; pyarrow from 20 on needs numpy 2, which Python 3.12 comes with.
EXTRAS = {
    'app': ['gradio>=6.31.0,<7'],
    'dev': [
        'mypy>=2.4.1,<3',
        'playwright>=1.65.2,<2',
        'pytest>=9.2.0,<10',
        'pytest-xdist>=3.8.0,<4',
        'ruff>=0.17.6,<1',
    ],
    'explain': ['captum>=0.9.0,<0.10'],
    'export': [
        'nncf>=3.4.0,<4',
        'onnx>=1.23.2,<2',
        'onnxruntime>=1.23.2,<2',
        'onnxscript>=0.7.2,<0.8',
        'openvino>=2026.4.1,<2027',
    ],
    'parquet': ['pyarrow<20; python_version < "3.12"', 'pyarrow<27; python_version >= "3.12"'],
    'ray': ['onnxruntime>=1.23.2,<2', 'pillow>=12.3.0,<13', 'pyarrow', 'ray[data]'],
    'safetensors': ['safetensors>=0.8.0,<1'],
    'video': ['av>=17.1.0,<19'],
}


def read_version() -> str:
    text = (PACKAGE / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE).group(1)


def read_readme(version: str) -> str:
    """Read the README, its relative links made absolute: they lead to the release's files in the repository."""
    readme = HERE / 'README.md'
    if not readme.is_file():
        return ''

    def absolute(link: re.Match) -> str:
        before, path = link.groups()
        kind = 'raw' if re.search(r'\.(apng|gif|jpe?g|png|svg|webp)$', path.split('#')[0]) else 'blob'
        return f'{before}{REPOSITORY}/{kind}/v{version}/{path.removeprefix("./")}'

    # Markdown's [text](path) and HTML's src="path", but no address (https:, mailto:, //) and no anchor of the page.
    relative = re.compile(r'(\]\(|\b(?:src|srcset|href)=")(?![a-z]+:|[#/])([^)\s"]+)')
    parts = re.split(r'(^```.*?^```)', readme.read_text(encoding='utf-8'), flags=re.MULTILINE | re.DOTALL)
    return ''.join(part if part.startswith('```') else relative.sub(absolute, part) for part in parts)


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
    long_description=read_readme(read_version()),
    long_description_content_type='text/markdown',
    author='mmtranspose contributors',
    author_email=f'{OWNER}@users.noreply.github.com',
    url=REPOSITORY,
    project_urls={
        'Documentation': f'https://{OWNER}.github.io/mmtranspose/',
        'Source': REPOSITORY,
        'Issues': f'{REPOSITORY}/issues',
        'Changelog': f'{REPOSITORY}/blob/main/CHANGELOG.md',
    },
    license_expression='Apache-2.0 AND LicenseRef-Research-Use',  # code; the weights that come with it
    license_files=['LICENSE', 'LICENSE-WEIGHTS'],
    keywords=['human pose estimation', 'keypoint detection', 'TransPose', 'transformer', 'MMPose', 'explainable AI'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Console',
        'Environment :: GPU :: NVIDIA CUDA',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3 :: Only',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
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
    extras_require=EXTRAS,
    entry_points={'console_scripts': ['mmtranspose = mmtranspose_cli.main:main']},
)
