_base_ = ['transpose-h-w48.py']

model = dict(
    backbone=dict(
        arch='w32',
        init_cfg=dict(checkpoint='https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w32-36af842e.pth'),
    ),
    neck=dict(in_channels=32, embed_dims=64, feedforward_channels=128),
    head=dict(in_channels=64),
)
