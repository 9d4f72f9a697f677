_base_ = [
    '../../../_base_/schedules/adam_cosine_230e.py',
    '../../../_base_/models/transpose-r.py',
    '../../../_base_/datasets/coco_256x192.py',
]

model = dict(neck=dict(num_layers=4), head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=20)
auto_scale_lr = dict(base_batch_size=20)
