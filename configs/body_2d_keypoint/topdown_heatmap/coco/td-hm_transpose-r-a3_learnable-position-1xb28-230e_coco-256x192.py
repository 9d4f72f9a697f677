# The paper's ablation: one learnt vector for each cell of the token grid (h, w)
_base_ = ['td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py']

model = dict(neck=dict(position_encoding='learnable', grid=(32, 24)))
