"""Faults of numpy and OpenCV."""

from __future__ import annotations

import re

from mmtranspose_cli.doctor.cures import INSTALL, REINSTALL, Step
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import Finding, broken, note
from mmtranspose_cli.doctor.needs import OPENCV, SCIENCE


def opencv_wants_numpy_2(env: Environment) -> list[Finding]:
    """OpenCV asks for numpy 2, and numpy 1 is installed."""
    if not env.version('cv2') or env.parsed('cv2') < (4, 12) or not env.version('numpy'):
        return []
    if env.parsed('numpy') >= (2,):
        return []
    name = env.installed(next(need for need in SCIENCE if need.module == 'cv2'))[0] or OPENCV[0]
    versions = f'{name} {env.version("cv2")} asks for numpy 2, and numpy {env.version("numpy")} is there'
    if env.works('cv2'):
        return note(
            'opencv',
            'asks for numpy 2',
            f'{versions}: it works, but pip may bring numpy 2 with the next thing it installs.',
            'To be safe:',
            (Step(INSTALL, f'{name}<4.12'), Step(INSTALL, 'numpy<2')),
        )
    return broken(
        'opencv',
        'asks for numpy 2',
        f'{versions}: {env.outcome("cv2").error}',
        Step(INSTALL, f'{name}<4.12'),
        Step(INSTALL, 'numpy<2'),
    )


def opencv_lacks_libraries(env: Environment) -> list[Finding]:
    """A system library that OpenCV needs is missing."""
    lacking = re.search(r'(lib\w+[\w.-]*\.so[\w.]*): cannot open shared object', env.outcome('cv2').error)
    if not lacking:
        return []
    name = env.installed(next(need for need in SCIENCE if need.module == 'cv2'))[0] or OPENCV[0]
    headless = name.replace('-headless', '') + '-headless'
    return broken(
        'opencv',
        f'{lacking.group(1)} is not there',
        f'{name} needs the system library {lacking.group(1)}, which this machine does not have; the headless build '
        'does without it.',
        Step(REINSTALL, f'--force-reinstall --no-deps "{headless}=={env.version("cv2")}"'),
        advice='Or, on Debian: apt install libgl1 libglib2.0-0.',
    )
