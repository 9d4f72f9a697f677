_base_ = ['adam_cosine_230e.py']

# The paper's transfer: 1e-4 for the final layer, which starts anew, 1e-5 for all that is loaded.
# The cosine ends at 1e-5, so the rest stays there. The paper does not say how long; 100 epochs are our choice
train_cfg = dict(max_epochs=100)
optim_wrapper = dict(
    optimizer=dict(lr=1e-5),
    paramwise_cfg=dict(custom_keys={'head.final_layer': dict(lr_mult=10)}),
)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=100, eta_min=1e-5, by_epoch=True)]
