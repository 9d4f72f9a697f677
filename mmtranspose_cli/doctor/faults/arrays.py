"""Faults of numpy, of modules that are compiled against it, and of setuptools."""

from __future__ import annotations

import re

from mmtranspose_cli.doctor.cures import INSTALL, REINSTALL, Step
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import Finding, broken, note
from mmtranspose_cli.doctor.faults.requirements import SETUPTOOLS, numpy_step, wheel_serves, xtcocotools_steps
from mmtranspose_cli.doctor.needs import OPENCV, SCIENCE

OTHER_NUMPY = re.compile(
    r'dtype size changed|_ARRAY_API not found|compiled (using|against) (NumPy|API)|multiarray failed to import'
    r'|numpy\.core',
    re.IGNORECASE,
)


def xtcocotools_missing(env: Environment) -> list[Finding]:
    """xtcocotools is not installed and no wheel of it works here; elsewhere ``general.missing`` reports it."""
    if env.outcome('xtcocotools').state != 'missing' or wheel_serves(env):
        return []
    why = 'its wheels, made on numpy 1, do not run on numpy 2'
    if not env.has_wheels:
        why = 'it has no wheel for this Python and machine, so it is compiled'
    return broken('xtcocotools', 'missing', f'xtcocotools is not installed, and {why}.', *xtcocotools_steps(env))


def xtcocotools_of_another_numpy(env: Environment) -> list[Finding]:
    """xtcocotools was compiled against another numpy."""
    outcome = env.outcome('xtcocotools')
    if outcome.state != 'failed' or not OTHER_NUMPY.search(outcome.error):
        return []
    return broken(
        'xtcocotools',
        f'does not fit numpy {env.version("numpy")}',
        f'xtcocotools {env.version("xtcocotools")} was compiled against another numpy than {env.version("numpy")} '
        f'(its wheels are made on numpy 1): {outcome.error}',
        *xtcocotools_steps(env),
    )


def xtcocotools_area(env: Environment) -> list[Finding]:
    """xtcocotools loads but ``mask.area`` fails, because it was built against numpy 2.3 or newer."""
    if 'NPY_OWNDATA' not in env.outcome('xtcocotools').error:
        return []
    return broken(
        'xtcocotools',
        'mask.area fails when called',
        'xtcocotools was built against numpy 2.3 or newer, whose headers lack NPY_OWNDATA: it loads, and mask.area '
        'fails when it is called. Built against numpy 2.0 to 2.2 it works, on newer ones too.',
        *xtcocotools_steps(env),
    )


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
            (Step(INSTALL, f'{name}<4.12'), numpy_step(env)),
        )
    return broken(
        'opencv',
        'asks for numpy 2',
        f'{versions}: {env.outcome("cv2").error}',
        Step(INSTALL, f'{name}<4.12'),
        numpy_step(env),
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


def setuptools_without_pkg_resources(env: Environment) -> list[Finding]:
    """setuptools lacks pkg_resources, which mmengine imports, or has it for the last time."""
    version = env.distributions.get('setuptools', '')
    if not env.works('pkg_resources'):
        found = f'setuptools {version} has none that works' if version else 'setuptools is not installed'
        return broken(
            'setuptools',
            'no pkg_resources',
            f'mmengine 0.10.7 imports pkg_resources, for `mmpose::` configs and mmpose.apis, and {found}; '
            'setuptools below 81 has it.',
            SETUPTOOLS,
        )
    if env.parsed('pkg_resources') < (81,):
        return []
    return note(
        'setuptools',
        'a later one drops pkg_resources',
        f'setuptools {version} still has pkg_resources, which mmengine 0.10.7 imports; later ones do not.',
        'Do not upgrade it, or go back:',
        (SETUPTOOLS,),
    )
