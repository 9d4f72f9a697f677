# Leeds Sports Pose Extended with AIC's 14 keypoints: <data_root>/{train,val}.json and <data_root>/images/
_base_ = ['td-hm_transpose-r-a3_1xb28-230e_aic-256x192.py']

data_root = 'data/lspet/'

train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='train.json', data_prefix=dict(img='images/')),
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='val.json', data_prefix=dict(img='images/')),
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='CocoMetric'), dict(type='PCKAccuracy', thr=0.2)]
test_evaluator = val_evaluator
