_base_ = ['adam_cosine_230e.py']

train_cfg = dict(max_epochs=240)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=240, eta_min=1e-5, by_epoch=True)]
