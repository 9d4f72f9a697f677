"""The demo's person detector: mmdet's RTMDet-tiny, trained from nothing on the drawn people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import DefaultScope

from mmtranspose.demo.pose_demo import demo_config, train_alone
from mmtranspose.detection import PersonDetector, detect_dataset
from mmtranspose.engine.runner_setup import build_runner


@dataclass(frozen=True)
class TrainedDetector:
    """A trained detector, and how good its boxes of the held-out images are.

    Attributes:
        config (str): Its config file or name.
        checkpoint (str): Its weights.
        detections (str): Its boxes of the held-out images, in the format of ``bbox_file`` of MMPose's datasets.
        ap (dict[str, float]): ``AP``, ``AP50``, ``AP75``, ``AR`` of these boxes, 0 to 1.
    """

    config: str
    checkpoint: str
    detections: str
    ap: dict[str, float]


def train_detector(
    data: Path, root: Path, config: str, seed: int = 0, epochs: int | None = None, device: str = 'cpu'
) -> TrainedDetector:
    """Train a detector on synthetic people and measure its box AP on the held-out images.

    Args:
        data (Path): Dataset of :func:`mmtranspose.datasets.synthetic.generate_dataset`.
        root (Path): Where log, checkpoint and boxes go.
        config (str): The detector's config file or name; its ``data_root`` is replaced.
        seed (int): Seed of training.
        epochs (int | None): Epochs of training; None for the config's.
        device (str): Device for the boxes; training uses a GPU where there is one.

    Raises:
        InputError: The data or the config cannot be used.
    """
    cfg = demo_config(config, data, root, seed, epochs)
    checkpoint = train_alone(cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):  # else the runner's scope stays behind
        build_runner(cfg, ('train_dataloader',)).train()
    detector = PersonDetector(config, checkpoint, device, bbox_thr=0.05, nms_thr=1.0)
    out = str(root / 'person_detections_val.json')
    found = detect_dataset(detector, data / 'annotations' / 'person_keypoints_val.json', data / 'val', out, 16)
    assert found is not None and found.ap is not None  # this is one process, and the held-out images have boxes
    return TrainedDetector(config, checkpoint, out, found.ap)
