"""Results as JSON: a file for each input in MMPose's form, and one for all in COCO's."""

from __future__ import annotations

from pathlib import Path

from mmtranspose.files.json_files import to_json, write_json
from mmtranspose.files.json_list_file import JsonListFile, naming
from mmtranspose.inference.image_ids import ImageIds
from mmtranspose.inference.pipeline import TopdownResult
from mmtranspose.results.output_files import COCO_RESULTS, OutputFiles
from mmtranspose.results.pose_json import coco_results, instances_of, meta_info, results_dict


class PredictionFiles:
    """Writes what was found, as it comes; of a long video, too, nothing is kept in memory.

    An image's file has the form of :func:`mmtranspose.results.pose_json.results_dict`; a video's ``instance_info`` has
    for each frame ``frame_id``, from 1 on as in MMPose's demos, and ``instances``.

    Args:
        root (str | Path): Folder of ``results_coco.json``.
        dataset_meta (dict): As ``model.dataset_meta``.
        ids (ImageIds): Of the entries in COCO's form.
    """

    def __init__(self, root: str | Path, dataset_meta: dict, ids: ImageIds):
        self._root, self._dataset_meta, self._ids = Path(root), dataset_meta, ids
        self._coco: JsonListFile | None = None
        self._video: JsonListFile | None = None

    def write(self, result: TopdownResult, files: OutputFiles) -> None:
        """Add a frame's people; frames come in order."""
        if self._coco is None:
            self._coco = JsonListFile(self._root / COCO_RESULTS)
        frame = result.frame
        of = dict(image_id=self._ids(frame), file_name=frame.path or frame.name)
        if frame.video is not None:
            of['frame_id'] = frame.index + 1
        for entry in coco_results(result.samples, **of):
            self._coco.write(entry)
        if frame.video is not None:
            self._write_frame(result, files)
            return
        self._close_video()
        with naming(files.predictions):
            write_json(files.predictions, results_dict(frame.path or frame.name, result.samples, self._dataset_meta))

    def close(self) -> None:
        """Complete the files."""
        self._close_video()
        if self._coco is not None:
            self._coco.close()

    def _write_frame(self, result: TopdownResult, files: OutputFiles) -> None:
        if self._video is None or self._video.path != files.predictions:
            self._close_video()
            video = result.frame.video
            meta = meta_info(self._dataset_meta, video=video.name, fps=float(video.rate), size=list(video.size))
            before = f'{{"meta_info": {to_json(meta)},\n"instance_info": ['
            self._video = JsonListFile(files.predictions, before, ']}')
        self._video.write(dict(frame_id=result.frame.index + 1, instances=instances_of(result.samples)))

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None
