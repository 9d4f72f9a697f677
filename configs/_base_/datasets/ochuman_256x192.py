_base_ = ['coco_256x192.py']

# OCHuman is for evaluation alone: trained on COCO, evaluated in the annotated boxes.
# Two datasets, one folder above them: data_root=DIR means DIR/coco and DIR/ochuman
dataset_type = 'OCHumanDataset'
data_root = 'data/'

train_dataloader = dict(dataset=dict(data_root=data_root + 'coco/'))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root + 'ochuman/',
        ann_file='annotations/ochuman_coco_format_val_range_0.00_1.00.json',
        bbox_file=None,
        data_prefix=dict(img='images/'),
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root + 'ochuman/',
        ann_file='annotations/ochuman_coco_format_test_range_0.00_1.00.json',
        bbox_file=None,
        data_prefix=dict(img='images/'),
    )
)
