# COCO's 17 keypoints without COCO: photographs of LSPET give the 12 of the limbs, drawn people give all 17.
# <data_root>: lspet/, lspet_extra/ and, by `mmtranspose generate-people`, drawn/. Tests on <data_root>/coco/
_base_ = [
    '../../../_base_/default_runtime.py',
    '../../../_base_/models/transpose-r.py',
    '../../../_base_/datasets/topdown_loaders.py',
]

codec = dict(type='UnbiasedHeatmap', input_size=(144, 192), heatmap_size=(36, 48), sigma=1.5)

model = dict(
    backbone=dict(depth=34, stem_channels=64, base_channels=64, init_cfg=None),
    neck=dict(in_channels=128, embed_dims=192, num_layers=6, num_heads=6, feedforward_channels=448, dropout=0.1),
    head=dict(in_channels=192, deconv_out_channels=(96,), decoder=codec),
    train_cfg=dict(compute_acc=False),
)

# The learning rate stays high for 15 epochs and falls in the last 4
train_cfg = dict(max_epochs=19, val_interval=1)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=500, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=4, eta_min=1e-6, begin=15, end=19, by_epoch=True, convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=32)
custom_hooks = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0005, update_buffers=True, priority=49)]
default_hooks = dict(checkpoint=dict(save_best='torso/PCK'))

dataset_type = 'CocoDataset'  # MMPose's inferencers ask for it
data_root = 'data/'
metainfo = dict(from_file='configs/_base_/datasets/coco.py')
# Keypoint of LSPET, keypoint of COCO
limbs = [(0, 6), (1, 8), (2, 10), (3, 5), (4, 7), (5, 9), (6, 12), (7, 14), (8, 16), (9, 11), (10, 13), (11, 15)]
to_coco = [dict(type='KeypointConverter', num_keypoints=17, mapping=limbs)]
lspet = dict(type='LspetDataset', data_prefix=dict(img='images/'), pipeline=to_coco)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='YOLOXHSVRandomAug', hue_delta=8, saturation_delta=60, value_delta=50),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody', min_total_keypoints=9, prob=0.35),
    dict(type='ClippedRandomBBoxTransform', scale_std=0.3, rotate_std=45.0, rotate_prob=0.8),
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
    batch_size=32,
    num_workers=1,
    sampler=dict(
        _delete_=True, type='MultiSourceSampler', batch_size=32, source_ratio=[4000, 3405, 2600], shuffle=True
    ),
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=metainfo,
        datasets=[
            dict(lspet, data_root=data_root + 'lspet/', ann_file='train.json'),
            dict(lspet, data_root=data_root + 'lspet_extra/', ann_file='extra.json'),
            dict(
                type=dataset_type,
                data_root=data_root + 'drawn/',
                ann_file='annotations/person_keypoints_train.json',
                data_prefix=dict(img='train/'),
                pipeline=[],
            ),
        ],
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=metainfo,
        test_mode=True,
        datasets=[dict(lspet, data_root=data_root + 'lspet/', ann_file='val.json', test_mode=True)],
        pipeline=val_pipeline,
    ),
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root + 'coco/',
        ann_file='annotations/person_keypoints_val2017.json',
        bbox_file=data_root + 'coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
        data_prefix=dict(img='val2017/'),
        pipeline=val_pipeline,
    ),
)

val_evaluator = dict(type='TorsoPCK')
test_evaluator = dict(type='CocoMetric')
