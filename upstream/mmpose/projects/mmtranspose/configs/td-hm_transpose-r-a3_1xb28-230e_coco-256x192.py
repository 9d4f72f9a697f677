_base_ = ['mmtranspose::body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-r-a3_1xb28-230e_coco-256x192.py']
