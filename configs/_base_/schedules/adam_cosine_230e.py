_base_ = ['../default_runtime.py']

# The paper's recipe: Adam, 1e-4 to 1e-5 along a cosine, no weight decay
train_cfg = dict(max_epochs=230, val_interval=10)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-4, fused=True))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=230, eta_min=1e-5, by_epoch=True)]
