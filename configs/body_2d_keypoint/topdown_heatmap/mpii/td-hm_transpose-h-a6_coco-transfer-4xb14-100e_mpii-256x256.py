# The paper's transfer from COCO to MPII
_base_ = [
    '../../../_base_/schedules/transfer_100e.py',
    '../../../_base_/models/transpose-h-w48.py',
    '../../../_base_/datasets/mpii_256x256.py',
]

model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(num_layers=6),
    head=dict(out_channels=16, decoder={{_base_.codec}}),
)
train_dataloader = dict(batch_size=14)
auto_scale_lr = dict(base_batch_size=56)
default_hooks = dict(checkpoint=dict(save_best='PCK'))

# The authors' COCO weights. Their final layer has 17 keypoints and stays out
load_from = 'https://github.com/yangsenius/TransPose/releases/download/Hub/tp_h_48_256x192_enc6_d96_h192_mh1.pth'
allow_partial = True
