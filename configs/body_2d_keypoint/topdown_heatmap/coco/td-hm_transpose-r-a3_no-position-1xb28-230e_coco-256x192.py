# The paper's ablation: tokens do not know where they are
_base_ = ['td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py']

model = dict(neck=dict(position_encoding=None))
