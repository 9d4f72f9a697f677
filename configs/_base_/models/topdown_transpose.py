# What all variants share; the codec of the head is that of the dataset, and each config puts it in
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='TransPoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        non_blocking=True,
    ),
    neck=dict(type='TransPoseNeck', num_layers=4, dropout=0.1, position_encoding='sine'),
    head=dict(
        type='TransPoseHead',
        out_channels=17,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False),
)
