"""The graphs that are exported: from crops, or from an image and boxes, to keypoints and what they depend on."""

from __future__ import annotations

from dataclasses import replace

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from torch import Tensor, nn

from mmtranspose.codecs import batch_decoder
from mmtranspose.deployment.graphs.attention_products import AttentionProducts, recorded_products
from mmtranspose.deployment.graphs.crop_cutting import CropCutting, cutting_step, pixels_per_unit
from mmtranspose.errors import UnsupportedModelError
from mmtranspose.explain.attention import target_maps
from mmtranspose.explain.flip_test import RecordedPrediction
from mmtranspose.explain.recording import AttentionInput, recorded_forward, require_transpose
from mmtranspose.explain.target import Target
from mmtranspose.models.data_preprocessors import reverses_channels
from mmtranspose.typing import PoseEstimator


def require_exportable(model: PoseEstimator) -> None:
    """Check that the graphs here compute what a model computes.

    Raises:
        UnsupportedModelError: The model is no top-down estimator with a TransPose neck; its attention cannot be read;
            or its decoder or its ``test_cfg`` is one that the graphs do not have.
    """
    require_transpose(model)
    decoder = getattr(model.head, 'decoder', None)
    if not isinstance(model, TopdownPoseEstimator) or batch_decoder(decoder) is None:
        raise UnsupportedModelError(
            f'{type(model).__name__} with the decoder {type(decoder).__name__} cannot be exported; a '
            'TopdownPoseEstimator is expected, with UnbiasedHeatmap, UDPHeatmap (gaussian) or MSRAHeatmap'
        )
    test_cfg = model.test_cfg or {}
    if test_cfg.get('output_keypoint_indices') is not None:
        raise UnsupportedModelError('test_cfg.output_keypoint_indices cannot be exported: remove it from the config')
    if test_cfg.get('flip_mode', 'heatmap') != 'heatmap':
        raise UnsupportedModelError(f"test_cfg.flip_mode={test_cfg['flip_mode']!r} cannot be exported: only 'heatmap'")


class CropsGraph(nn.Module):
    """From crops to keypoints in their pixels, scores, and on request the attention rows of every keypoint.

    Args:
        model (PoseEstimator): One that :func:`require_exportable` accepts, in evaluation mode. Its network may be in
            half precision; everything else is computed in single precision.
        flip_indices (list[int] | None): Number of each keypoint's counterpart on the other side, for the flip test in
            one pass; None: without the flip test.
        dependency (bool): Whether to return the attention rows.
        cell (str): The tokens of a keypoint; see :class:`~mmtranspose.explain.ExplainOptions`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: PoseEstimator, flip_indices: list[int] | None, dependency: bool, cell: str = 'bilinear'):
        super().__init__()
        self.model, self.flip_indices, self.dependency, self.cell = model, flip_indices, dependency, cell
        decoder = batch_decoder(model.head.decoder)
        assert decoder is not None
        self.decoder = decoder
        cut = cutting_step(model)
        self.to_pixels = pixels_per_unit(cut.input_size, cut.use_udp)
        preprocessor = model.data_preprocessor
        self.wants_bgr = not reverses_channels(preprocessor)
        mean, std = getattr(preprocessor, 'mean', torch.zeros(1)), getattr(preprocessor, 'std', torch.ones(1))
        self.register_buffer('mean', mean.detach().float().reshape(-1, 1, 1).clone(), persistent=False)
        self.register_buffer('std', std.detach().float().reshape(-1, 1, 1).clone(), persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Estimate the poses in crops.

        Args:
            crops (Tensor): (N, h, w, 3), uint8, RGB.

        Returns:
            tuple[Tensor, ...]: ``keypoints`` (N, K, 2) as (x, y) in pixels of the crops, the middle of the first one at
            0; ``scores`` (N, K); and ``dependency`` (N, L, K, h, w) over the token grid, if asked for. Then what goes
            into the network and comes out of it, see :func:`boundary_names`.
        """
        poses, boundary = self.poses(crops.permute(0, 3, 1, 2).float())
        return *poses, *boundary

    def poses(self, crops: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """As :meth:`forward`, from crops (N, 3, h, w), float32, RGB, 0 to 255; the results, and the rest."""
        crops = crops.flip(1) if self.wants_bgr else crops
        inputs = (crops - self.mean) / self.std
        if self.flip_indices is not None:
            inputs = torch.cat([inputs, inputs.flip(-1)])
        with recorded_products(self.model.neck.encoder) as products:
            run = recorded_forward(self.model, inputs.to(next(self.model.parameters()).dtype))
        products = [(both[0].float(), both[1].float()) for both in products]
        records: list[AttentionInput] = [
            AttentionProducts(one.layer, one.tokens, one.pos, *both) for one, both in zip(run.records, products)
        ]
        run = replace(run, records=records, heatmaps=run.heatmaps.float())
        prediction = RecordedPrediction.of_run(self.model, inputs, run, self.flip_indices)
        heatmaps = prediction.heatmaps
        keypoints, scores = self.decoder.traceable(heatmaps)
        keypoints = keypoints * torch.tensor(self.to_pixels, device=keypoints.device)
        boundary = (inputs, run.heatmaps)
        if not self.dependency:
            return (keypoints, scores), boundary
        target = Target.of(heatmaps, prediction.run.grid, self.cell)
        maps = prediction.averaged(lambda run, _, at: target_maps(run.records, at), target)
        return (keypoints, scores, maps.transpose(0, 1)), (*boundary, *(value for both in products for value in both))


class ImageGraph(nn.Module):
    """From an image and boxes to keypoints in the image's pixels; otherwise as :class:`CropsGraph`.

    Args:
        pose (CropsGraph): What is done with the crops.
        cutting (CropCutting): How they are cut.
    """

    def __init__(self, pose: CropsGraph, cutting: CropCutting):
        super().__init__()
        self.pose, self.cutting = pose, cutting

    def forward(self, image: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        """Estimate the poses in boxes of an image.

        Args:
            image (Tensor): (H, W, 3), uint8, RGB.
            boxes (Tensor): (N, 4), float32, xyxy in pixels of the image.

        Returns:
            tuple[Tensor, ...]: ``keypoints`` (N, K, 2) in pixels of the image, and ``scores`` (N, K). If asked for,
            ``dependency`` (N, L, K, h, w), and ``crop_to_image`` (N, 2, 3) from (x, y) in pixels of the crop to pixels
            of the image. Then as :class:`CropsGraph`.
        """
        start, step = self.cutting.affines(boxes)
        crops = self.cutting(image, start, step)
        (in_crop, *others), boundary = self.pose.poses(crops)
        keypoints = in_crop * step[:, None] + start[:, None]
        if self.pose.dependency:
            others.append(torch.cat([torch.diag_embed(step), start.unsqueeze(2)], dim=2))
        return keypoints, *others, crops, in_crop, *boundary


def boundary_names(num_layers: int, dependency: bool) -> list[str]:
    """Names of the values between the network and the rest of a graph, which stay single precision in any file.

    ``network_input``: normalised crops, with the flip test followed by the mirrored ones. ``heatmaps``: those of
    ``network_input``. With dependency, ``queries_1`` and ``keys_1`` (N, heads, tokens, channels), and so on for each
    encoder layer.
    """
    layers = range(1, num_layers + 1) if dependency else ()
    products = [f'{name}_{layer}' for layer in layers for name in ('queries', 'keys')]
    return ['network_input', 'heatmaps', *products]


def value_names(graph: str, num_layers: int, dependency: bool) -> list[str]:
    """Names of what a graph returns after its results: values inside it, where it can be cut.

    In the graph from images, ``cut_crops`` (N, 3, h, w), float32, RGB, 0 to 255, and ``crop_keypoints`` (N, K, 2) in
    pixels of the crops; then those of :func:`boundary_names`.
    """
    ends = ['cut_crops', 'crop_keypoints'] if graph == 'image' else []
    return [*ends, *boundary_names(num_layers, dependency)]
