_base_ = ['topdown_256x256.py']

dataset_type = 'OneHand10KDataset'
data_root = 'data/onehand10k/'

# Hands point anywhere, and have no upper and lower half
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='ClippedRandomBBoxTransform', scale_std=0.3, rotate_std=90.0, rotate_prob=0.6),
    dict(type='UnbiasedTopdownAffine', input_size={{_base_.codec.input_size}}),
    dict(type='KeypointTarget'),
    dict(type='PackPoseInputs', meta_keys=('id', 'img_path')),
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/onehand10k_train.json',
        data_prefix=dict(img=''),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/onehand10k_test.json',
        data_prefix=dict(img=''),
    )
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='PCKAccuracy', thr=0.2), dict(type='AUC'), dict(type='EPE')]
test_evaluator = val_evaluator
