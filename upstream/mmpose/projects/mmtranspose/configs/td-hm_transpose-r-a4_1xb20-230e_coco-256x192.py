_base_ = ['mmtranspose::body_2d_keypoint/topdown_heatmap/coco/td-hm_transpose-r-a4_1xb20-230e_coco-256x192.py']
