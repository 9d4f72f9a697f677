_base_ = ['topdown_transpose.py']

model = dict(
    backbone=dict(
        type='HRNetSmall',
        arch='w48',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w48-8ef0771d.pth',
        ),
    ),
    neck=dict(
        in_channels=48,
        embed_dims=96,
        num_heads=1,
        feedforward_channels=192,
        init_cfg=dict(type='Normal', std=0.001, override=dict(name='projection')),
    ),
    head=dict(in_channels=96),
)
