# The paper's transfer from COCO to MPII
_base_ = [
    '../../../_base_/schedules/transfer_100e.py',
    '../../../_base_/models/transpose-r.py',
    '../../../_base_/datasets/mpii_256x256.py',
]

model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(num_layers=4),
    head=dict(out_channels=16, decoder={{_base_.codec}}),
)
train_dataloader = dict(batch_size=20)
auto_scale_lr = dict(base_batch_size=20)
default_hooks = dict(checkpoint=dict(save_best='PCK'))

# The authors' COCO weights. Their final layer has 17 keypoints and stays out
load_from = 'https://github.com/yangsenius/TransPose/releases/download/Hub/tp_r_256x192_enc4_d256_h1024_mh8.pth'
allow_partial = True
