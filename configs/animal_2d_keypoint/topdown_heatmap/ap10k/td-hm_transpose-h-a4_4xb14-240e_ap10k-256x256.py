_base_ = [
    '../../../_base_/schedules/adam_cosine_240e.py',
    '../../../_base_/models/transpose-h-w48.py',
    '../../../_base_/datasets/ap10k_256x256.py',
]

model = dict(neck=dict(num_layers=4), head=dict(decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=14)
auto_scale_lr = dict(base_batch_size=56)
