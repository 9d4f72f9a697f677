_base_ = [
    '../../../_base_/schedules/adam_cosine_240e.py',
    '../../../_base_/models/transpose-h-w32.py',
    '../../../_base_/datasets/coco-test-dev_256x192.py',
]

model = dict(neck=dict(num_layers=4), head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=16)
auto_scale_lr = dict(base_batch_size=32)
test_evaluator = dict(outfile_prefix='work_dirs/{{fileBasenameNoExtension}}/person_keypoints_test-dev2017')
