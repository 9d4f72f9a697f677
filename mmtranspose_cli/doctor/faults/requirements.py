"""Requirements whose versions depend on what else is installed."""

from __future__ import annotations

from mmtranspose_cli.doctor.cures import BUILD, INSTALL, Step
from mmtranspose_cli.doctor.environment import Environment

BUILD_OPTIONS = '--no-build-isolation --no-deps --force-reinstall --no-cache-dir'
WHEEL = Step(BUILD, '--force-reinstall --no-deps --only-binary xtcocotools "xtcocotools==1.14.3"')
SETUPTOOLS = Step(INSTALL, 'setuptools>=70.1,<81')  # from 70.1 on it builds wheels by itself
NUMPY_1 = 'numpy>=1.21,<2'
NUMPY_TO_BUILD = 'numpy>=2,<2.3'  # built against a newer one, xtcocotools.mask.area fails


def has_numpy_2(env: Environment) -> bool:
    """Whether the environment has numpy 2, or would get it: numpy 1.26 has no wheel for Python 3.13."""
    return env.parsed('numpy') >= (2,) if env.version('numpy') else env.python >= (3, 13)


def numpy_step(env: Environment) -> Step:
    """The step that installs a numpy that the other packages can use."""
    return Step(INSTALL, NUMPY_TO_BUILD if has_numpy_2(env) else NUMPY_1)


def torchvision_range(env: Environment) -> str:
    """The torchvision that belongs to the torch there is; another one would replace torch, or fail when imported.

    0.(n + 15) belongs to torch 2.n up to 2.13; from 0.29 on torchvision takes torch 2.14 and newer.
    """
    major, minor = (*env.parsed('torch'), 0)[:2]
    if major != 2:
        return ''
    return f'==0.{minor + 15}.*' if minor < 14 else '>=0.29'


def torchvision_fits(env: Environment) -> bool:
    """Whether the installed torchvision lies in that range."""
    wanted, minor = torchvision_range(env), (*env.parsed('torchvision'), 0)[1]
    return minor >= 29 if wanted.startswith('>=') else wanted == f'==0.{minor}.*'


def wheel_serves(env: Environment) -> bool:
    """Whether a wheel of xtcocotools works: they are made on numpy 1, for Python 3.11 at most."""
    return env.has_wheels and not has_numpy_2(env)


def xtcocotools_steps(env: Environment) -> tuple[Step, ...]:
    """Install xtcocotools anew for the numpy that is there: a wheel or compiled, on numpy 1 if there is no compiler."""
    if wheel_serves(env):
        return (numpy_step(env), WHEEL)
    if env.has_wheels and env.building_lacks:
        opencv = env.installed(next(need for need in env.needs if need.module == 'cv2'))[0] or 'opencv-python'
        return (
            Step(INSTALL, NUMPY_1),
            Step(INSTALL, f'{opencv}<4.12'),
            WHEEL,
        )
    comment = f'first install {env.building_lacks}' if env.building_lacks else 'compiles, 15 s'
    return (
        Step(INSTALL, 'cython'),
        SETUPTOOLS,
        numpy_step(env),
        Step(BUILD, f'{BUILD_OPTIONS} --no-binary xtcocotools "xtcocotools==1.14.3"', comment),
    )
