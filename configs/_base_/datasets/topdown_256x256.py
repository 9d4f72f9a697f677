_base_ = ['topdown_loaders.py']

# The geometry of topdown_256x192.py, for datasets whose boxes are square
codec = dict(type='UnbiasedHeatmap', input_size=(256, 256), heatmap_size=(64, 64), sigma=2)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody', min_total_keypoints=9, prob=0.3),
    dict(type='ClippedRandomBBoxTransform', scale_std=0.35, rotate_std=45.0, rotate_prob=0.6),
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

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
