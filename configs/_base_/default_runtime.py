_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['mmtranspose'], allow_failed_imports=False)

# A run that was broken off goes on exactly: docs/reliability.md
train_cfg = dict(_delete_=True, type='ResumableTrainLoop')

# 'greater': the score to keep the best checkpoint by grows with quality
default_hooks = dict(
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    channels_last=dict(type='ChannelsLastHook'),
    checkpoint=dict(type='ResumableCheckpointHook', save_best='coco/AP', rule='greater', max_keep_ckpts=2),
)
