_base_ = ['topdown_256x192.py']

dataset_type = 'CrowdPoseDataset'
data_root = 'data/crowdpose/'

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_trainval.json',
        data_prefix=dict(img='images/'),
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_test.json',
        bbox_file=data_root + 'annotations/det_for_crowd_test_0.1_0.5.json',
        data_prefix=dict(img='images/'),
    )
)
test_dataloader = val_dataloader

# CrowdPose annotates no area. How crowded an image is (crowdIndex) stands in the loader's annotation file
val_evaluator = dict(type='CocoMetric', iou_type='keypoints_crowd', use_area=False, prefix='crowdpose')
test_evaluator = val_evaluator
