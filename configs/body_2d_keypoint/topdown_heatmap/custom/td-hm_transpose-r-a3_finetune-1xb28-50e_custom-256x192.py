# A template: TransPose-R-A3, trained on COCO by the authors, fine-tuned on a dataset of your own in COCO's format.
# Copy this file, change what is marked with "yours", and see docs/finetune.md
_base_ = [
    'mmtranspose::_base_/schedules/transfer_100e.py',
    'mmtranspose::_base_/models/transpose-r.py',
    'mmtranspose::_base_/datasets/topdown_256x192.py',
]

# Yours: the keypoints, numbered in the order of the annotation files. `swap` names the keypoint that takes this one's
# place in a mirrored image, '' if none does. `type` (upper, lower) serves crops of half a body, taken of people with
# 9 visible keypoints or more
keypoint_info = {
    0: dict(name='head', id=0, swap='', type='upper', color=[51, 153, 255]),
    1: dict(name='left_shoulder', id=1, swap='right_shoulder', type='upper', color=[0, 255, 0]),
    2: dict(name='right_shoulder', id=2, swap='left_shoulder', type='upper', color=[255, 128, 0]),
    3: dict(name='left_hand', id=3, swap='right_hand', type='upper', color=[0, 255, 0]),
    4: dict(name='right_hand', id=4, swap='left_hand', type='upper', color=[255, 128, 0]),
    5: dict(name='left_foot', id=5, swap='right_foot', type='lower', color=[0, 255, 0]),
    6: dict(name='right_foot', id=6, swap='left_foot', type='lower', color=[255, 128, 0]),
}
metainfo = dict(
    dataset_name='custom',
    keypoint_info=keypoint_info,
    # Yours: lines to draw between keypoints
    skeleton_info={
        0: dict(link=('head', 'left_shoulder'), id=0, color=[0, 255, 0]),
        1: dict(link=('head', 'right_shoulder'), id=1, color=[255, 128, 0]),
        2: dict(link=('left_shoulder', 'left_hand'), id=2, color=[0, 255, 0]),
        3: dict(link=('right_shoulder', 'right_hand'), id=3, color=[255, 128, 0]),
        4: dict(link=('left_shoulder', 'left_foot'), id=4, color=[0, 255, 0]),
        5: dict(link=('right_shoulder', 'right_foot'), id=5, color=[255, 128, 0]),
    },
    # Yours: how much each keypoint's error counts in training
    joint_weights=[1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 1.2],
    # Yours: how far annotators are apart, as a share of the square root of a person's area (COCO: 0.025 for eyes, 0.107
    # for hips). AP forgives that much
    sigmas=[0.035, 0.079, 0.079, 0.062, 0.062, 0.089, 0.089],
)

# Yours: where the data are
dataset_type = 'CocoDataset'
data_root = 'data/custom/'
train_dataloader = dict(
    batch_size=28,
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        metainfo=metainfo,
        data_root=data_root,
        ann_file='annotations/val.json',
        bbox_file=None,  # the annotated boxes; or data_root + the file of a detector's, in COCO's result format
        data_prefix=dict(img='images/'),
    )
)
test_dataloader = val_dataloader

# AP, by which the best checkpoint is kept; use_area=False where the annotations have no "area"
val_evaluator = dict(type='CocoMetric')
test_evaluator = val_evaluator

# One heatmap for each keypoint; all but the final layer starts from the authors' COCO weights, with a tenth of its
# learning rate
model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(num_layers=3),
    head=dict(out_channels=len(keypoint_info), decoder={{_base_.codec}}),
)
load_from = 'https://github.com/yangsenius/TransPose/releases/download/Hub/tp_r_256x192_enc3_d256_h1024_mh8.pth'
allow_partial = True

# Yours: how long. T_max is max_epochs
train_cfg = dict(max_epochs=50, val_interval=5)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=50, eta_min=1e-5, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=28)
