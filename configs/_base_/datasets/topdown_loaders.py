# What the loaders of all datasets share
data_mode = 'topdown'  # MMPose's inferencers read it here

train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='tensor_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_mode=data_mode),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='tensor_collate', keep_samples=True),
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(data_mode=data_mode, test_mode=True),
)
test_dataloader = val_dataloader
