"""Write the report: a table with a verdict in each row, sentences and commands; or all of it as JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import NamedTuple

from mmtranspose_cli.doctor.cures import Command, chained, commands
from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults import BROKEN, NOTE, OK, Finding
from mmtranspose_cli.doctor.needs import Need
from mmtranspose_cli.terminal import printable

COLOURS = {OK: '32', NOTE: '33', BROKEN: '31'}


class Row(NamedTuple):
    """One row of the table."""

    what: str
    found: str
    verdict: str
    remark: str


def cuda_row(env: Environment) -> tuple[str, str]:
    """Say what torch is built for, and which GPUs it can use."""
    info, outcome = env.outcome('torch').info, env.outcome('cuda')
    if outcome.state in ('missing', 'untried'):
        return '-', ''
    kind = f'CUDA {info["cuda"]}' if info.get('cuda') else f'ROCm {info["rocm"]}' if info.get('rocm') else ''
    gpus = outcome.info.get('gpus', [])
    names = ', '.join(sorted(set(gpus)))
    remark = (f'{len(gpus)} x {names}' if len(gpus) > 1 else names) or 'no GPU: runs on the CPU'
    return (f'built for {kind}' if kind else 'built for the CPU'), remark


def found(env: Environment, need: Need) -> str:
    """Version and name of what was found, as '2.1.0 (mmcv-lite)'; '-' if nothing was."""
    name, version = env.installed(need)
    if not version:
        return '-' if env.outcome(need.module).state == 'missing' else '?'
    if need.module == 'mmcv' and env.works('mmcv'):
        return f'{version} ({"compiled" if env.outcome("mmcv").info["compiled"] else "lite"})'
    own = env.outcome(need.module).info.get('version', '')  # torch's names its build: 2.11.0+cu130
    version = own if own.startswith(f'{version}+') else version
    return version if name in ('', need.title) else f'{version} ({name})'


def rows(env: Environment, findings: list[Finding]) -> list[Row]:
    """The rows of the table: those that are always shown, and those with a finding."""
    facts = {'Python': ('{}.{}.{}'.format(*env.python), '')}
    for need in env.needs:
        facts[need.title] = (found(env, need), '')
        if need.module == 'torch':
            facts['CUDA'] = cuda_row(env)
    if 'openmim' in env.distributions:
        facts['openmim'] = (env.distributions['openmim'], '')
    always = {'Python', 'CUDA', *(need.title for need in env.needs if need.shown)}
    table = []
    for what, (value, remark) in facts.items():
        told = [finding for finding in findings if what in finding.titles]
        worst = BROKEN if any(finding.verdict == BROKEN for finding in told) else NOTE if told else OK
        if told or what in always:
            told.sort(key=lambda finding: finding.verdict != BROKEN)
            table.append(Row(what, value, worst, told[0].remark if told else remark))
    return table


def table_lines(table: list[Row], colour: bool) -> list[str]:
    """Write the table with aligned columns, and coloured verdicts if ``colour``."""
    head = Row('what', 'found', 'verdict', 'remark')
    table = [Row(*map(printable, row)) for row in table]
    widths = [max(len(row[column]) for row in (head, *table)) for column in range(3)]
    lines = []
    for row in (head, *table):
        cells = [row[column].ljust(widths[column]) for column in range(3)]
        if colour and row.verdict in COLOURS:
            cells[2] = cells[2].replace(row.verdict, f'\x1b[{COLOURS[row.verdict]}m{row.verdict}\x1b[0m')
        lines.append('  '.join([*cells, row.remark]).rstrip())
    return lines


def paragraph(label: str, text: str) -> list[str]:
    """Break a label and a text into lines, all but the first indented; long commands stay whole."""
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)
    text = printable(f'{label}: {text}', lines=True)
    return textwrap.wrap(text, width, subsequent_indent='  ', break_long_words=False, break_on_hyphens=False)


def finding_lines(env: Environment, findings: list[Finding]) -> list[str]:
    """Write the sentences of findings, with the commands that they offer in place of the cure."""
    lines = []
    for finding in findings:
        if finding.sentence:
            label = finding.titles[0] if len(finding.titles) == 1 else 'missing'
            lines += paragraph(label, ' '.join(filter(None, (finding.sentence, finding.advice))))
            otherwise = commands(finding.otherwise, env.executable, env.has_pip)
            lines += [f'    {printable(line)}' for line in chained(otherwise)]
    return lines


def cure(env: Environment, findings: list[Finding]) -> list[Command]:
    """The commands that cure everything that is broken, in the order to run them."""
    steps = [step for finding in findings for step in finding.steps]
    return commands(steps, env.executable, env.has_pip)


def as_text(env: Environment, findings: list[Finding], colour: bool = False, quiet: bool = False) -> str:
    """Write the whole report as text.

    Args:
        env: The facts.
        findings: What they mean.
        colour: Whether to colour the verdicts, for a terminal.
        quiet: Write only what is broken, and nothing at all if nothing is.
    """
    bad = [finding for finding in findings if finding.verdict == BROKEN]
    if quiet and not bad:
        return ''
    table = rows(env, findings)
    where = '{} (Python {}.{}.{})'.format(printable(env.executable), *env.python)
    blocks = [[f'{where} lacks what mmtranspose needs:' if quiet else where]]
    blocks.append(table_lines([row for row in table if row.verdict == BROKEN] if quiet else table, colour))
    notes = [] if quiet else [finding for finding in findings if finding.verdict == NOTE]
    for title, part in (('Broken', bad), ('Notes', notes)):
        lines = finding_lines(env, part)
        blocks += [[title, *lines]] if lines else []
    lines = [f'  {printable(line)}' for line in chained(cure(env, findings))]
    blocks += [['Cure (mmtranspose doctor --fix asks, and runs it)', *lines]] if lines else []
    if not bad:
        blocks.append(['Nothing is broken.'])
    return '\n\n'.join('\n'.join(block) for block in blocks) + '\n'


def as_json(env: Environment, findings: list[Finding]) -> str:
    """Write the report as JSON: executable, python, healthy, rows, findings with commands, and cure (all commands)."""
    told = [
        {
            'concerns': list(finding.titles),
            'verdict': finding.verdict,
            'remark': finding.remark,
            'sentence': finding.sentence,
            'advice': finding.advice,
            'commands': [one.text() for one in commands(finding.steps, env.executable, env.has_pip)],
            'otherwise': [one.text() for one in commands(finding.otherwise, env.executable, env.has_pip)],
        }
        for finding in findings
    ]
    report = {
        'executable': env.executable,
        'python': '{}.{}.{}'.format(*env.python),
        'healthy': all(finding.verdict != BROKEN for finding in findings),
        'rows': [row._asdict() for row in rows(env, findings)],
        'findings': told,
        'cure': [one.text() for one in cure(env, findings)],
    }
    return json.dumps(report, indent=2) + '\n'
