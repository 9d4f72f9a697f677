"""One run of ``mmtranspose infer`` that several processes share: what each computes, and the merge."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mmtranspose.commands.run_settings import computed_by, made_by
from mmtranspose.detection import PersonDetector
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.files.text_tables import counted
from mmtranspose.inference import BoxFile, TopdownPipeline
from mmtranspose.inference.image_ids import ImageIds, PathSuffixMap
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.inference.work_units import UnitEnd, WorkUnit, source_of, work_units
from mmtranspose.media import Frame, Source
from mmtranspose.results import LowScores, PredictionFiles, Progress, ResultDrawer, ResultsFolder, write_and_show
from mmtranspose.results.finished_units import PARTS, FinishedUnits
from mmtranspose.results.merging import merge_units
from mmtranspose.results.shards import Shard, alone, in_words, reserved, shards_of
from mmtranspose.results.units_folder import UnitsFolder, unit_results
from mmtranspose.typing import PoseEstimator
from mmtranspose_cli.terminal import print_error, printable


@dataclass
class SharedRun:
    """A run of ``infer`` that several processes share.

    Attributes:
        args (argparse.Namespace): The options.
        shard (Shard | None): This process; None: one that only merges.
        source (Source): All inputs; not read from.
        pipeline (TopdownPipeline): The pipeline.
        boxes (PersonDetector | BoxFile | str): The source of boxes.
        draw (ResultDrawer): Draws results.
        model (PoseEstimator): The model, or what stands for it.
        ids (PathSuffixMap | None): The ``image_id`` of images by file name.
        category_id (int | str): The category of people.
        faults (list[tuple[str, str]]): Entries of the box file that were left out.
        given (Sequence[Path]): All files that are read.
    """

    args: argparse.Namespace
    shard: Shard | None
    source: Source
    pipeline: TopdownPipeline
    boxes: PersonDetector | BoxFile | str
    draw: ResultDrawer
    model: PoseEstimator
    ids: PathSuffixMap[int | str] | None
    category_id: int | str
    faults: list[tuple[str, str]]
    given: Sequence[Path]

    def __call__(self) -> int:
        """Compute this process's units, and merge if all are there; returns the exit status.

        Raises:
            InputError: The folder has results of something else, this shard or one of another number of shards runs
                already, or a merge was asked for and units are missing.
        """
        root = Path(self.args.output_root)
        if self.shard is None and not (root / PARTS).is_dir():
            raise InputError(f'{root} holds no results of shards: nothing to merge; start the shards with --shard K/N')
        if isinstance(self.boxes, BoxFile):
            self.boxes.require_one_kind([one.moving for one in self.source.inputs])
        units = work_units(self.source.inputs, self.pipeline.unit_size)
        settings = made_by(self.args, self.source, self.pipeline, self.boxes, self.model)
        finished = FinishedUnits(root, settings, len(units))
        status = DONE
        if self.shard is not None and finished.merged is None:
            with reserved(finished.root, self.shard):
                status = self._compute(self.shard, units, finished)
        return self._merge_if_all(root, finished, status)

    def _compute(self, shard: Shard, units: Sequence[WorkUnit], finished: FinishedUnits) -> int:
        """Compute the units of a shard that are not finished; returns the exit status."""
        mine = [unit.number for unit in units if shard.has(unit.number)]
        todo = [number for number in finished.missing() if shard.has(number)]
        before = sum(len(finished.note(number).skipped) for number in mine if number not in todo)
        for unit in units:
            unit.passed_over = unit.number not in todo
        source = source_of(units)
        shown = shard.number == 1 or self.args.launcher == 'none'
        progress = Progress(source.length, shown, LowScores(self.args.kpt_thr))
        try:
            if len(todo) < len(mine):
                progress.note(f'shard {shard}: {len(mine) - len(todo)} of {len(mine)} parts are finished')
            self._note_boxes(progress)
            results = unit_results(self.pipeline, source, None if self.args.strict else progress.skip)
            results = self._alike(results, finished.root)
            write_and_show(results, self.draw, progress, self._folder(finished, todo), None, self.args.strict)
        finally:
            progress.close()
            source.close()
            if progress.frames:
                print(printable(f'shard {shard}: {progress.summary()}'), flush=True)
        failed = (progress.skipped or before) and self.args.launcher == 'none'  # else the launcher ends the others
        return FAILED if failed else DONE

    def _alike(self, results: Iterator[TopdownResult | UnitEnd], parts: Path) -> Iterator[TopdownResult | UnitEnd]:
        """Pass results on while the network is computed as at first: OpenVINO may fail at any image size."""
        first = computed_by(self.pipeline)
        for result in results:
            if isinstance(result, UnitEnd) and computed_by(self.pipeline) != first:
                raise InputError(
                    'OpenVINO cannot run the network here, and all parts of a run must be computed alike: run all '
                    f'shards with --backend torch, into another --output-root or after deleting {parts}'
                )
            yield result

    def _note_boxes(self, progress: Progress) -> None:
        for where, reason in self.faults:
            progress.skip(where, reason)
        if isinstance(self.boxes, BoxFile):
            progress.note(self.boxes.left_out)

    def _folder(self, finished: FinishedUnits, todo: Sequence[int]) -> UnitsFolder:
        category = self.category_id if self.args.save_predictions else None

        def folder(root: Path) -> ResultsFolder:
            predictions = None
            if self.args.save_predictions:
                predictions = PredictionFiles(root, self.model.dataset_meta, None, self.category_id)
            return ResultsFolder(root, (), predictions, self.pipeline.explains and self.args.explain == 'page')

        return UnitsFolder(finished, todo, folder, category)

    def _merge_if_all(self, root: Path, finished: FinishedUnits, status: int) -> int:
        if finished.merged is not None:
            return self._tell_merged(root, finished)
        left = finished.left(shards_of(finished.root) if self.shard is None else self.shard.count)
        if left and self.shard is None:
            raise InputError(f'nothing is merged, because there is still to compute: {in_words(left)}, with {root}')
        if left:
            print(printable(f'shard {self.shard} is finished. Before the merge into {root}: {in_words(left)}'))
            return status
        with alone(finished.lock) as free:
            if not free:
                print(printable(f'{root}: another process is merging the results'))
                return status
            if finished.merged is None:
                return self._merge(root, finished)
        return self._tell_merged(root, finished)

    def _tell_merged(self, root: Path, finished: FinishedUnits) -> int:
        with alone(finished.lock, wait=True):  # the launcher would end a process that is still tidying up
            finished.tidy()
        print(printable(f'{root}: the results of all shards are merged; to begin anew, delete {root / PARTS}'))
        return FAILED if finished.merged else DONE

    def _merge(self, root: Path, finished: FinishedUnits) -> int:
        """Merge all units; returns the exit status of the whole run."""
        boxes = self.boxes

        def ask(frame: Frame) -> None:
            if isinstance(boxes, BoxFile):
                with suppress(InputError):
                    boxes([frame])

        ids = ImageIds(self.ids) if self.args.save_predictions else None
        merged = merge_units(finished, root, self.given, ids, ask)
        for name, reason in merged.skipped:
            print(printable(f'{name}: {reason}'), file=sys.stderr)
        skipped = len(merged.skipped) + len(self.faults)
        counts = f'{counted(merged.frames, "frame")}, {counted(merged.people, "pose")}, {skipped} skipped'
        print(printable(f'all shards, merged: {counts}: {root}'))
        unmatched = boxes.unmatched() if isinstance(boxes, BoxFile) else None
        if isinstance(boxes, BoxFile) and boxes.of_other_images():
            print(printable(boxes.of_other_images()), file=sys.stderr)
        if unmatched:
            print_error(unmatched)
        finished.retire(skipped + bool(unmatched))
        return FAILED if skipped or unmatched else DONE
