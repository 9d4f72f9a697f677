_base_ = ['topdown_transpose.py']

model = dict(
    backbone=dict(
        type='ResNetSmall',
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(in_channels=512, embed_dims=256, num_heads=8, feedforward_channels=1024),
    head=dict(in_channels=256, deconv_out_channels=(256,)),
)
