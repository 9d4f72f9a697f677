_base_ = ['mmtranspose::body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-h-a6_4xb14-240e_coco-256x192.py']
