"""Faults that any module can have: it is missing, too old, newer than was tried, or does not load."""

from __future__ import annotations

from mmtranspose_cli.doctor.cures import INSTALL, REINSTALL, Step
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults.finding import BROKEN, Finding, broken, note
from mmtranspose_cli.doctor.faults.requirements import torchvision_range
from mmtranspose_cli.doctor.needs import OURS, Need
from mmtranspose_cli.doctor.probing import Outcome
from mmtranspose_cli.doctor.versions import parse


def missing(env: Environment, needs: list[Need]) -> list[Finding]:
    """One finding on all modules that are not installed."""
    absent = [need for need in needs if env.outcome(need.module).state == 'missing' and need.module != OURS.module]
    if not absent:
        return []
    steps = [install(env, need) for need in absent]
    titles = tuple(need.title for need in absent)
    names = ', '.join(need.distributions[0] for need in absent)
    verb = 'is' if len(absent) == 1 else 'are'
    return [Finding(titles, BROKEN, 'missing', f'{names} {verb} not installed.', tuple(steps))]


def install(env: Environment, need: Need) -> Step:
    """The step that installs a missing module."""
    if need.module != 'torchvision' or env.outcome('torch').state == 'missing':
        return Step(INSTALL, need.requirement())
    return Step(
        REINSTALL, f'"torchvision{torchvision_range(env)}"', 'from the index that torch came from; another replaces it'
    )


def ours_missing(env: Environment, needs: list[Need]) -> list[Finding]:
    """mmtranspose itself cannot be imported."""
    if OURS not in needs or env.outcome(OURS.module).state != 'missing':
        return []
    return broken(
        OURS.title,
        'missing',
        'mmtranspose is not on the path of this Python.',
        advice=f'In a checkout: {env.executable} -m pip install --no-deps --no-build-isolation -e .',
    )


def out_of_range(env: Environment, needs: list[Need]) -> list[Finding]:
    """A finding on each module that is too old, or newer than was tried."""
    findings: list[Finding] = []
    for need in needs:
        version = env.version(need.module)
        if version and need.low and parse(version) < parse(need.low):
            findings += broken(
                need.title,
                f'needs {need.low} or newer',
                f'{need.title} {version} is too old: {need.low} or newer is needed.',
                Step(INSTALL, need.requirement()),
            )
        elif version and need.below and parse(version) >= parse(need.below):
            findings += note(
                need.title,
                'newer than was tried',
                f'{need.title} {version} was not tried; versions below {need.below} were.',
            )
    return findings


def not_loading(env: Environment, needs: list[Need], troubled: set[str]) -> list[Finding]:
    """Findings on modules that fail, by themselves or because of another one in ``troubled``, which grows."""
    findings: list[Finding] = []
    for need in sorted(needs, key=lambda need: bool(need.needs)):  # causes before what follows from them
        outcome = env.outcome(need.module)
        if outcome.state in ('ok', 'missing'):
            continue
        causes = [other.title for other in env.needs if other.module in need.needs and other.title in troubled]
        troubled.add(need.title)
        if causes:
            remark = f'needs {causes[0]}' + (f' and {len(causes) - 1} more' if causes[1:] else '')
            findings.append(Finding((need.title,), BROKEN, remark))
        else:
            findings += by_itself(env, need, outcome)
    return findings


def by_itself(env: Environment, need: Need, outcome: Outcome) -> list[Finding]:
    """The finding on a module that fails although all that it needs works."""
    done = {'failed': 'fails', 'crashed': 'crashes', 'hung': 'hangs'}[outcome.state]
    sentence = f'{need.title} {done} when it is tried: {outcome.error}'
    name, version = env.installed(need)
    if need is OURS or not name:
        return broken(need.title, f'{done} when tried', sentence)
    step = Step(REINSTALL, f'--force-reinstall --no-deps --no-cache-dir "{name}=={version.split("+")[0]}"')
    return broken(need.title, f'{done} when tried', sentence, step)
