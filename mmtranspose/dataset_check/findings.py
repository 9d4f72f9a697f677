"""Collect what a check found, and report it as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmtranspose.dataset_check.annotations import Annotations
from mmtranspose.dataset_check.config_datasets import ConfigDataset
from mmtranspose.dataset_check.problems import KINDS, Problem
from mmtranspose.files.text_tables import plural, table_lines
from mmtranspose_cli.terminal import printable


@dataclass
class Finding:
    """All problems of one kind in one split.

    Attributes:
        split (str): The split, or several that use the same file.
        kind (str): A key of :data:`KINDS`.
        count (int): Number of problems.
        examples (list[str]): Where the first of them are.
    """

    split: str
    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Report:
    """The result of :func:`mmtranspose.dataset_check.check_dataset`.

    Attributes:
        num_examples (int): Examples of each finding that are kept.
        splits (list[dict]): For each annotation file its ``split`` and ``file``; the numbers of ``images``,
            ``images_without_people``, ``people`` that MMPose uses and ``annotations``; ``keypoints_per_person``, the
            mean number of labelled keypoints; ``dropped``, the people that MMPose drops, by reason.
        findings (dict[tuple[str, str], Finding]): By split and kind.
    """

    num_examples: int = 3
    splits: list[dict] = field(default_factory=list)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, split: str, problems: Iterable[Problem]) -> None:
        """Count problems of a split."""
        for problem in problems:
            finding = self.findings.setdefault((split, problem.kind), Finding(split, problem.kind))
            finding.count += 1
            if len(finding.examples) < self.num_examples:
                finding.examples.append(_whole_characters(problem.where))

    def add_split(self, dataset: ConfigDataset, found: Annotations) -> None:
        """Describe a split: how much there is in its annotation file, and how much of it MMPose uses."""
        labelled = found.labelled.sum(1)[found.used]
        self.splits.append(
            dict(
                split=dataset.name,
                file=str(dataset.ann_file),
                images=len(found.images),
                people=int(found.used.sum()),
                keypoints_per_person=float(labelled.mean()) if len(labelled) else 0.0,
                images_without_people=len(found.images) - len(found.image_ids_with_people),
                dropped=dict(found.dropped),
                annotations=found.num_entries,
            )
        )

    def count(self, level: str) -> int:
        """Count the findings of a level, ``'error'`` or ``'warning'``, over all splits."""
        return sum(KINDS[kind].level == level for _, kind in self.findings)

    def ok(self, strict: bool = False) -> bool:
        """Whether there is no error; with ``strict`` no warning either."""
        return not self.count('error') and not (strict and self.count('warning'))

    def to_json(self) -> dict:
        """Give everything as plain types: ``splits``, and ``problems``, one dict a finding, errors first."""
        return dict(splits=self.splits, problems=[self._entry(finding) for finding in self._sorted()])

    def to_text(self) -> str:
        """Give a table of the splits, then the findings, errors first."""
        lines = [*self._table(), *self.left_out(), '']
        lines += [line for level in ('error', 'warning') for line in self.lines(level)]
        lines.append(f'{self.count("error")} kinds of errors, {self.count("warning")} kinds of warnings')
        return '\n'.join(map(printable, lines))

    def lines(self, level: str) -> list[str]:
        """Describe the findings of a level, ``'error'`` or ``'warning'``, each with its examples."""
        lines = []
        for finding in self._sorted():
            entry = self._entry(finding)
            if entry['level'] != level:
                continue
            of = ''
            if entry['of']:
                of = f' of {entry["of"]} {plural(entry["unit"])} ({finding.count / entry["of"]:.2%})'
            count = f' {finding.count}{of}:' if entry['unit'] else ''
            lines.append(f'{entry["level"]}: {finding.split}: {finding.kind}:{count} {entry["meaning"]}')
            lines += [f'    {example}' for example in finding.examples]
            if finding.count > len(finding.examples):
                lines.append(f'    ... and {finding.count - len(finding.examples)} more')
        return lines

    def left_out(self) -> list[str]:
        """Say of each split how many people MMPose drops, and why."""
        lines = []
        for one in self.splits:
            reasons = ', '.join(f'{count} {reason}' for reason, count in one['dropped'].items())
            if reasons:
                lines.append(f'{one["split"]}: MMPose drops of {one["annotations"]} annotations: {reasons}')
        return lines

    def _sorted(self) -> list[Finding]:
        order = list(KINDS)
        return sorted(self.findings.values(), key=lambda one: (KINDS[one.kind].level, one.split, order.index(one.kind)))

    def _entry(self, finding: Finding) -> dict:
        kind = KINDS[finding.kind]
        split = next((one for one in self.splits if one['split'] == finding.split), {})
        of = split.get(dict(person='annotations', annotation='annotations', image='images').get(kind.unit, ''))
        return dict(vars(finding), level=kind.level, unit=kind.unit, of=of, meaning=kind.meaning)

    def _table(self) -> list[str]:
        head = ('split', 'images', 'without people', 'people', 'keypoints each', 'annotations')
        rows = [
            (
                one['split'],
                one['images'],
                one['images_without_people'],
                one['people'],
                f'{one["keypoints_per_person"]:.1f}',
                '/'.join(Path(one['file']).parts[-2:]),
            )
            for one in self.splits
        ]
        return table_lines([head, *rows], '<')


def _whole_characters(text: str) -> str:
    # a name in JSON can have half of a surrogate pair, which no output takes
    return text.encode('utf-8', 'backslashreplace').decode()
