_base_ = [
    '../../../_base_/schedules/adam_cosine_230e.py',
    '../../../_base_/models/transpose-r.py',
    '../../../_base_/datasets/mpii_256x256.py',
]

model = dict(neck=dict(num_layers=3), head=dict(out_channels=16, decoder={{_base_.codec}}))
train_dataloader = dict(batch_size=28)
auto_scale_lr = dict(base_batch_size=28)
default_hooks = dict(checkpoint=dict(save_best='PCK'))
