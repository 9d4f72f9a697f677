"""Images per second of the work of ``mmtranspose infer``, in one process and in several that share the images."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from mmtranspose.acceleration import accelerate
from mmtranspose.benchmark.benchmark_settings import BenchmarkSettings
from mmtranspose.benchmark.candidate import Candidate, Task
from mmtranspose.benchmark.image_set import image_files
from mmtranspose.benchmark.modes.end_to_end import FLIP, KEYPOINTS, Files
from mmtranspose.benchmark.modes.forward import HEATMAP_TOLERANCES
from mmtranspose.benchmark.networks import load_model, weights_file
from mmtranspose.benchmark.worker import GRACE, filter_warnings
from mmtranspose.compat import keep_memory
from mmtranspose.crops.boxes import load_bboxes
from mmtranspose.inference import TopdownPipeline
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.inference.work_units import source_of, work_units
from mmtranspose.media import open_source
from mmtranspose.results import PredictionFiles, Progress, ResultDrawer, ResultsFolder, write_and_show
from mmtranspose.results.finished_units import Shard
from mmtranspose.visualization import PoseDrawer

Poses = dict[str, tuple[np.ndarray, np.ndarray]]  # keypoints (N, K, 2) and scores (N, K) by image file


class Share(NamedTuple):
    """What one process does: a shard of the images, with its threads, into its folder."""

    config: str
    checkpoint: str
    device: str
    dtype: str
    compiled: bool
    batch: int
    files: Files
    folder: str
    shard: Shard
    threads: int


def workers_candidates(settings: BenchmarkSettings, batch: int, folder: Path) -> list[Candidate]:
    """The baseline is one process in fp32, uncompiled; the others are those of each variant, which share the cores.

    Each reads images, estimates poses with the flip test, draws them, and writes images and JSON, as ``infer`` does
    with given boxes. Not measured: starting the processes, the detector, the notes from which ``infer --shard`` goes
    on, and merging the results.
    """
    checkpoint, files = weights_file(settings, folder), image_files(settings, folder)
    candidates = []
    for name, dtype, compiled, count in _compared(settings):
        threads = settings.threads or max(1, (os.cpu_count() or 1) // count)
        shares = [
            Share(
                *(settings.config, checkpoint, settings.device, dtype, compiled, batch, files),
                str(folder / name / str(number)),
                Shard(number, count),
                threads,
            )
            for number in range(1, count + 1)
        ]
        precision = settings.precision(dtype)
        tolerances = dict(keypoints=KEYPOINTS[precision], scores=HEATMAP_TOLERANCES[precision])
        arguments, several = dict(shares=shares), count > 1
        candidates.append(
            Candidate(name, build, arguments, settings.device, tolerances=tolerances, starts_processes=several)
        )
    return candidates


def _compared(settings: BenchmarkSettings) -> Iterator[tuple[str, str, bool, int]]:
    """Names of the candidates, with dtype, whether the network is compiled, and number of processes."""
    yield 'baseline', 'fp32', False, 1
    for name, dtype, compiled in settings.variants():
        for count in dict.fromkeys((1, *settings.workers)):
            if (dtype, compiled, count) != ('fp32', False, 1):  # that is the baseline
                yield f'{name}, {count} worker{"s" if count > 1 else ""}', dtype, compiled, count


def build(shares: Sequence[Share]) -> Task:
    """One share in this process, the others in processes of their own, which are built once and wait for calls."""
    started = [_started(share) for share in shares[1:]]
    ends = [end for _, end in started]
    Finalize(None, _ended, (started,), exitpriority=1)  # before Python terminates them, while they hold semaphores
    run = _Work(shares[0])

    def all_of_them() -> Poses:
        for end in ends:
            end.send('run')
        found = run()
        for end in ends:
            found |= end.recv()
        return found

    for end in ends:
        end.recv()  # it is built
    return Task(all_of_them, lambda found: _outputs(found, shares[0].files))


def _started(share: Share) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, share), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _ended(started: Sequence[tuple[SpawnProcess, Connection]]) -> None:
    for process, end in started:
        end.close()
        process.join(GRACE / 2)


def serve(connection: Connection, share: Share) -> None:
    """Build a share, say so, and run it at each message, until the connection closes."""
    keep_memory.apply()
    filter_warnings()
    work = _Work(share)
    connection.send('built')
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        connection.send(work())


class _Work:
    """The share of one process, ready to be repeated."""

    def __init__(self, share: Share):
        torch.set_num_threads(share.threads)
        cv2.setNumThreads(share.threads)
        self.share = share
        plain = load_model(share.config, share.checkpoint, share.device, FLIP)
        model = accelerate(plain, dtype=share.dtype, compile=share.compiled)
        boxes: dict[str | None, str] = dict(share.files)
        self.meta = model.dataset_meta
        self.pipeline = TopdownPipeline(
            model, lambda frames: [load_bboxes(boxes[frame.path]) for frame in frames], share.batch
        )

    def __call__(self) -> Poses:
        """Read, estimate, draw and write the images of the share."""
        units = work_units(open_source([image for image, _ in self.share.files]).inputs, self.pipeline.unit_size)
        for unit in units:
            unit.passed_over = not self.share.shard.has(unit.number)
        found: Poses = {}

        def results() -> Any:
            for result in self.pipeline(source_of(units)):
                people = [sample.pred_instances for sample in result.samples]
                keypoints = np.concatenate([one.keypoints for one in people])
                found[str(result.frame.path)] = keypoints, np.concatenate([one.keypoint_scores for one in people])
                yield result

        folder = ResultsFolder(
            self.share.folder, (), PredictionFiles(self.share.folder, self.meta, ImageIds()), pages=False
        )
        write_and_show(results(), ResultDrawer(PoseDrawer(self.meta)), Progress(shown=False), folder, strict=True)
        return found


def _outputs(found: Poses, files: Files) -> dict[str, np.ndarray]:
    poses = [found[image] for image, _ in files]
    return dict(
        keypoints=np.concatenate([keypoints for keypoints, _ in poses]),
        scores=np.concatenate([scores for _, scores in poses]),
    )
