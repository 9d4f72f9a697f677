# Leeds Sports Pose Extended, whose 14 keypoints are AIC's: <data_root>/{train,val}.json and <data_root>/images/
_base_ = ['../aic/td-hm_transpose-r-a3_1xb28-230e_aic-256x192.py']

dataset_type = 'LspetDataset'
data_root = 'data/lspet/'

train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, ann_file='train.json', data_prefix=dict(img='images/')),
)
val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, ann_file='val.json', data_prefix=dict(img='images/')),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='CocoMetric'), dict(type='TorsoPCK')]
test_evaluator = val_evaluator
