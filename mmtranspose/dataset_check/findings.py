"""What a check found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mmtranspose.dataset_check.annotation_file import Annotations
from mmtranspose.dataset_check.config_datasets import Source, file_beside
from mmtranspose.dataset_check.problems import KINDS, Problem


@dataclass
class Found:
    """Problems of one kind in one split: how many, and the first examples."""

    split: str
    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Report:
    """The whole result. ``num_examples``: how many examples of a kind are kept."""

    num_examples: int = 3
    splits: list[dict] = field(default_factory=list)
    found: dict[tuple[str, str], Found] = field(default_factory=dict)

    def add(self, split: str, problems: Iterable[Problem]) -> None:
        """Count problems of a split."""
        for problem in problems:
            group = self.found.setdefault((split, problem.kind), Found(split, problem.kind))
            group.count += 1
            if len(group.examples) < self.num_examples:
                group.examples.append(_printable(problem.where))

    def add_split(self, source: Source, found: Annotations) -> None:
        """Describe a split: how much there is in it, and what MMPose leaves of it."""
        labelled = found.labelled.sum(1)[found.kept]
        self.splits.append(
            dict(
                split=source.name,
                file=str(source.file),
                images=len(found.pictures),
                people=int(found.kept.sum()),
                keypoints_per_person=float(labelled.mean()) if len(labelled) else 0.0,
                images_without_people=len(found.pictures) - len(found.images_with_people),
                dropped=dict(found.dropped),
                annotations=found.num_entries,
            )
        )

    def count(self, level: str) -> int:
        """How many kinds of problems of a level (``'error'``, ``'warning'``) were found, split by split."""
        return sum(KINDS[kind].level == level for _, kind in self.found)

    def ok(self, strict: bool = False) -> bool:
        """Whether there is no error; with ``strict`` no warning either."""
        return not self.count('error') and not (strict and self.count('warning'))

    def to_json(self) -> dict:
        """Everything, of plain types."""
        return dict(splits=self.splits, problems=[self._entry(group) for group in self._sorted()])

    def to_text(self) -> str:
        """A table of the splits, then the problems, errors first."""
        lines = [*self._table(), *self._dropped(), '']
        for group in self._sorted():
            entry = self._entry(group)
            of = f' of {entry["of"]} {_plural(entry["unit"])} ({group.count / entry["of"]:.2%})' if entry['of'] else ''
            lines.append(f'{entry["level"]}: {group.split}: {group.kind}: {group.count}{of}: {entry["meaning"]}')
            lines += [f'    {example}' for example in group.examples]
            if group.count > len(group.examples):
                lines.append(f'    ... and {group.count - len(group.examples)} more')
        lines.append(f'{self.count("error")} kinds of errors, {self.count("warning")} kinds of warnings')
        return '\n'.join(lines)

    def _sorted(self) -> list[Found]:
        order = list(KINDS)
        return sorted(self.found.values(), key=lambda one: (KINDS[one.kind].level, one.split, order.index(one.kind)))

    def _entry(self, group: Found) -> dict:
        kind = KINDS[group.kind]
        split = next((one for one in self.splits if one['split'] == group.split), {})
        of = split.get(dict(person='annotations', picture='images').get(kind.unit, ''))
        return dict(vars(group), level=kind.level, unit=kind.unit, of=of, meaning=kind.meaning)

    def _table(self) -> list[str]:
        head = ('split', 'images', 'without people', 'people', 'keypoints each', 'annotations')
        rows = [
            (
                one['split'],
                one['images'],
                one['images_without_people'],
                one['people'],
                f'{one["keypoints_per_person"]:.1f}',
                file_beside(one['file']),
            )
            for one in self.splits
        ]
        widths = [max(len(str(row[k])) for row in (head, *rows)) for k in range(len(head))]
        return ['  '.join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (head, *rows)]

    def _dropped(self) -> list[str]:
        lines = []
        for one in self.splits:
            reasons = ', '.join(f'{count} {reason}' for reason, count in one['dropped'].items())
            if reasons:
                lines.append(f'{one["split"]}: MMPose drops of {one["annotations"]} annotations: {reasons}')
        return lines


def _printable(text: str) -> str:
    # a name in JSON can have half of a surrogate pair, which no output takes
    return text.encode('utf-8', 'backslashreplace').decode()


def _plural(unit: str) -> str:
    return dict(person='people').get(unit, f'{unit}s')
