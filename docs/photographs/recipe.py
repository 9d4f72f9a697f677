# COCO's 17 keypoints: the 12 of the limbs from LSPET photographs, all 17 from drawn people. See README.md
_base_ = [
    '../../configs/_base_/default_runtime.py',
    '../../configs/_base_/models/transpose-r.py',
    '../../configs/_base_/datasets/topdown_loaders.py',
]
codec = dict(type='UnbiasedHeatmap', input_size=(144, 192), heatmap_size=(36, 48), sigma=1.5)
model = dict(
    backbone=dict(depth=34, stem_channels=64, base_channels=64, init_cfg=None),
    neck=dict(in_channels=128, embed_dims=192, num_layers=6, num_heads=6, feedforward_channels=448, dropout=0.1),
    head=dict(in_channels=192, deconv_out_channels=(96,), decoder=codec),
    train_cfg=dict(compute_acc=False),
)
max_iters = 14000
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10**9)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=max_iters - 500, begin=500, end=max_iters, eta_min=1e-6, by_epoch=False),
]
auto_scale_lr = dict(base_batch_size=128)
limbs = [(0, 6), (1, 8), (2, 10), (3, 5), (4, 7), (5, 9), (6, 12), (7, 14), (8, 16), (9, 11), (10, 13), (11, 15)]
lspet = dict(
    type='AicDataset',
    data_prefix=dict(img='images/'),
    pipeline=[dict(type='KeypointConverter', num_keypoints=17, mapping=limbs)],
)
train_dataloader = dict(
    batch_size=128,
    num_workers=7,
    sampler=dict(
        _delete_=True, type='MultiSourceSampler', batch_size=128, source_ratio=[4000, 3405, 2600], shuffle=True
    ),
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        datasets=[
            dict(lspet, data_root='data/lspet/', ann_file='train.json'),
            dict(lspet, data_root='data/lspet_extra/', ann_file='extra.json'),
            dict(
                type='CocoDataset',
                data_root='data/drawn/',
                ann_file='annotations/person_keypoints_train.json',
                data_prefix=dict(img='train/'),
                pipeline=[],
            ),
        ],
        pipeline=[
            dict(type='LoadImage'),
            dict(type='YOLOXHSVRandomAug', hue_delta=8, saturation_delta=60, value_delta=50),
            dict(type='GetBBoxCenterScale', padding=1.25),
            dict(type='RandomFlip', direction='horizontal'),
            dict(type='RandomHalfBody', min_total_keypoints=9, prob=0.15),
            dict(type='ClippedRandomBBoxTransform', scale_std=0.3, rotate_std=45.0, rotate_prob=0.8),
            dict(type='UnbiasedTopdownAffine', input_size=codec['input_size']),
            dict(type='KeypointTarget'),
            dict(type='PackPoseInputs', meta_keys=('id', 'img_path')),
        ],
    ),
)
val_dataloader = test_dataloader = val_cfg = test_cfg = val_evaluator = test_evaluator = None
custom_hooks = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0005, update_buffers=True, priority=49)]
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500, save_best=None, max_keep_ckpts=2),
    logger=dict(interval=100),
)
