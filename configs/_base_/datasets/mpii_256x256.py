_base_ = ['topdown_256x256.py']

dataset_type = 'MpiiDataset'
data_root = 'data/mpii/'

# Usual on MPII: smaller changes of scale and rotation than on COCO, whole bodies alone
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='ClippedRandomBBoxTransform', scale_std=0.25, rotate_std=30.0, rotate_prob=0.6),
    dict(type='UnbiasedTopdownAffine', input_size={{_base_.codec.input_size}}),
    dict(type='KeypointTarget'),
    dict(type='PackPoseInputs', meta_keys=('id', 'img_path')),
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mpii_train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mpii_val.json',
        headbox_file=data_root + 'annotations/mpii_gt_val.mat',
        data_prefix=dict(img='images/'),
    )
)
test_dataloader = val_dataloader

# PCKh@0.5 in percent: distances in units of 0.6 times the diagonal of the head's box
val_evaluator = dict(type='MpiiPCKAccuracy')
test_evaluator = val_evaluator
