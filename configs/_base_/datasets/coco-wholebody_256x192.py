_base_ = ['coco_256x192.py']

dataset_type = 'CocoWholeBodyDataset'

# COCO's images and detector boxes
train_dataloader = dict(dataset=dict(type=dataset_type, ann_file='annotations/coco_wholebody_train_v1.0.json'))
val_dataloader = dict(dataset=dict(type=dataset_type, ann_file='annotations/coco_wholebody_val_v1.0.json'))
test_dataloader = val_dataloader

val_evaluator = dict(type='CocoWholeBodyMetric')
test_evaluator = val_evaluator
