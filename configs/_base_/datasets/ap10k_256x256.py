_base_ = ['topdown_256x256.py']

dataset_type = 'AP10KDataset'
data_root = 'data/ap10k/'

# The first of AP-10K's three splits; every split has all images in one folder
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/ap10k-train-split1.json',
        data_prefix=dict(img='data/'),
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/ap10k-val-split1.json',
        data_prefix=dict(img='data/'),
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/ap10k-test-split1.json',
        data_prefix=dict(img='data/'),
    )
)

# The annotation file is each data loader's
val_evaluator = dict(type='CocoMetric')
test_evaluator = val_evaluator
