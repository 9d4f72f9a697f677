"""One run of ``mmtranspose infer`` that several processes share: what each computes, and the merge."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtranspose.detection import PersonDetector
from mmtranspose.errors import DONE, FAILED, InputError
from mmtranspose.inference import BoxFile, TopdownPipeline
from mmtranspose.inference.box_sources import WHOLE_IMAGE
from mmtranspose.inference.image_ids import ImageIds, PathSuffixMap
from mmtranspose.inference.work_units import WorkUnit, source_of, work_units
from mmtranspose.loading.conversion import sha256
from mmtranspose.loading.weights_comparison import weights_checksum
from mmtranspose.media import Frame, Source
from mmtranspose.results import PredictionFiles, Progress, ResultDrawer, ResultsFolder, write_and_show
from mmtranspose.results.finished_units import PARTS, FinishedUnits, Shard, in_words, note_shards, shards_of
from mmtranspose.results.merging import merge_units
from mmtranspose.results.units_folder import UnitsFolder, unit_results
from mmtranspose.typing import PoseEstimator
from mmtranspose.version import __version__
from mmtranspose_cli.terminal import print_error, printable

# Options that change nothing in the results, or that made_by has in another form.
NO_MATTER = (
    *('allow_non_finite', 'allow_partial', 'ann_file', 'batch_size', 'bboxes', 'cfg_options', 'checkpoint', 'config'),
    *('det_batch_size', 'det_cat_id', 'det_checkpoint', 'det_config', 'device', 'input', 'launcher', 'local_rank'),
    *('merge', 'output_root', 'shard', 'shared', 'show', 'show_interval', 'strict'),
)


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
            InputError: The folder has results of something else, this shard runs already, or a merge was asked for
                and units are missing.
        """
        root = Path(self.args.output_root)
        if self.shard is None and not (root / PARTS).is_dir():
            raise InputError(f'{root} holds no results of shards: nothing to merge; start the shards with --shard K/N')
        if isinstance(self.boxes, BoxFile):
            self.boxes.require_one_kind([one.moving for one in self.source.inputs])
        units = work_units(self.source.inputs, self.pipeline.unit_size)
        finished = FinishedUnits(root, made_by(self), len(units))
        status = DONE
        if self.shard is not None and finished.merged is None:
            note_shards(root, self.shard.count)
            with finished.alone(f'shard-{self.shard.number}-of-{self.shard.count}.lock') as alone:
                if not alone:
                    raise InputError(f'shard {self.shard} is running already in another process, with {root}')
                status = self._compute(self.shard, units, finished)
        return self._merge_if_all(root, finished, status)

    def _compute(self, shard: Shard, units: Sequence[WorkUnit], finished: FinishedUnits) -> int:
        """Compute the units of a shard that are not finished; returns the exit status."""
        mine = [unit.number for unit in units if shard.has(unit.number)]
        todo = [number for number in finished.missing() if shard.has(number)]
        before = sum(len(finished.skipped(number)) for number in mine if number not in todo)
        for unit in units:
            unit.passed_over = unit.number not in todo
        source = source_of(units)
        progress = Progress(source.length, shown=shard.number == 1 or self.args.launcher == 'none')
        try:
            if len(todo) < len(mine):
                progress.note(f'shard {shard}: {len(mine) - len(todo)} of {len(mine)} parts are finished')
            self._note_boxes(progress)
            results = unit_results(self.pipeline, source, None if self.args.strict else progress.skip)
            write_and_show(results, self.draw, progress, self._folder(finished, todo), None, self.args.strict)
        finally:
            progress.close()
            source.close()
            if progress.frames:
                print(printable(f'shard {shard}: {progress.summary()}'), flush=True)
        failed = (progress.skipped or before) and self.args.launcher == 'none'  # else the launcher ends the others
        return FAILED if failed else DONE

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
        shards = shards_of(root) if self.shard is None else self.shard.count
        left = finished.left(shards)
        if finished.merged is not None:
            return self._tell_merged(root, finished)
        if left and self.shard is None:
            raise InputError(f'nothing is merged, because there is still to compute: {in_words(left)}, with {root}')
        if left:
            print(printable(f'shard {self.shard} is finished. Before the merge into {root}: {in_words(left)}'))
            return status
        with finished.alone() as alone:
            if finished.merged is not None:
                return self._tell_merged(root, finished)
            if not alone:
                print(printable(f'{root}: another process is merging the results'))
                return status
            return self._merge(root, finished)

    def _tell_merged(self, root: Path, finished: FinishedUnits) -> int:
        finished.tidy()
        print(printable(f'{root}: the results of all shards are merged; to begin anew, delete {root / PARTS}'))
        return FAILED if finished.merged and self.args.launcher == 'none' else DONE

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
        counts = f'{merged.frames} frames, {merged.people} poses, {skipped} skipped'
        print(printable(f'all shards, merged: {counts}: {root}'))
        unmatched = boxes.unmatched() if isinstance(boxes, BoxFile) else None
        if isinstance(boxes, BoxFile) and boxes.of_other_images():
            print(printable(boxes.of_other_images()), file=sys.stderr)
        if unmatched:
            print_error(unmatched)
        finished.retire(skipped + bool(unmatched))
        return FAILED if skipped or unmatched else DONE


def made_by(run: SharedRun) -> dict[str, Any]:
    """All that the results depend on, except the content of images whose size in bytes stays the same."""
    args, cfg = run.args, run.model.cfg
    options = {name: value for name, value in vars(args).items() if name not in NO_MATTER}
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline')
    files = [one.path for one in run.source.inputs]  # type: ignore[attr-defined]  # images and videos
    return dict(
        version=__version__,
        weights=weights_checksum(run.model),
        model=_digest(repr(cfg.get('model')), repr(pipeline), *_content(args.config)),
        inputs=f'{len(files)} files, {_digest(*(f"{path} {_size(path)}" for path in files))}',
        boxes=_boxes(run.boxes, args.bboxes),
        ann_file=_digest(*_content(args.ann_file)),
        device=args.device.partition(':')[0],
        batch_size=run.pipeline.batch_size,
        det_batch_size=run.pipeline.detector_batch_size,
        **options,
    )


def _boxes(boxes: PersonDetector | BoxFile | str, given: str) -> str:
    """What boxes depend on, but for thresholds and the category in a box file, which are options of their own."""
    if isinstance(boxes, PersonDetector):
        cfg, weights = boxes.model.cfg, weights_checksum(boxes.model)
        return _digest(*map(repr, (cfg.model, cfg.test_dataloader.dataset.get('pipeline'), weights, boxes.category)))
    return WHOLE_IMAGE if isinstance(boxes, str) else _digest(*_content(given))


def _digest(*texts: str) -> str:
    return hashlib.sha256('\n'.join(texts).encode('utf-8', 'surrogateescape')).hexdigest()[:16]


def _content(path: str | None) -> list[str]:
    """The digest of a file's content, and of the weights beside OpenVINO's; nothing of a config or of a name."""
    if path is None or not os.path.isfile(path) or path.endswith('.py'):
        return []
    beside = [Path(path).with_suffix('.bin')] if path.endswith('.xml') else []
    return [sha256(one) for one in (Path(path), *beside) if one.is_file()]


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else -1
