# The embedded default: a small TransPose-R for a CPU, on the people drawn by `mmtranspose generate-people`
_base_ = [
    '../../../_base_/default_runtime.py',
    '../../../_base_/models/transpose-r.py',
    '../../../_base_/datasets/coco_256x192.py',
]

codec = dict(type='UnbiasedHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.5)

model = dict(
    backbone=dict(depth=18, stem_channels=32, base_channels=32, init_cfg=None),
    neck=dict(
        in_channels=64,
        embed_dims=96,
        num_layers=2,
        num_heads=2,
        feedforward_channels=192,
        dropout=0.0,
    ),
    head=dict(in_channels=96, deconv_out_channels=(64,), decoder=codec),
    train_cfg=dict(compute_acc=False),
)

train_cfg = dict(max_epochs=10, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=4e-3, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=150, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=10, eta_min=1e-5, by_epoch=True, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=16)

data_root = 'data/synthetic/'

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='ClippedRandomBBoxTransform', scale_std=0.1, rotate_prob=0.0),
    dict(type='UnbiasedTopdownAffine', input_size=codec['input_size']),
    dict(type='KeypointTarget'),
    dict(type='PackPoseInputs', meta_keys=('id', 'img_path')),
]
val_pipeline = [
    dict(type='CachedLoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='UnbiasedTopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_train.json',
        data_prefix=dict(img='train/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_val.json',
        bbox_file=data_root + 'person_detection_results/person_detections_val.json',
        data_prefix=dict(img='val/'),
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
