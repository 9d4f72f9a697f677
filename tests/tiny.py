"""A TransPose small enough for tests: stride 8, 16 stem channels, 8 token channels."""

from mmpose.registry import MODELS


def tiny_transpose(num_layers=2, head=None, **neck):
    """The estimator; ``head`` and ``neck`` change those parts' arguments."""
    neck = dict(embed_dims=8, num_heads=2, feedforward_channels=16, **neck)
    return MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            backbone=dict(type='ResNetSmall', depth=18, stem_channels=8, base_channels=8),
            neck=dict(type='TransPoseNeck', in_channels=16, num_layers=num_layers, **neck),
            head=dict(type='TransPoseHead', in_channels=8, out_channels=3, **(head or {})),
        )
    )
