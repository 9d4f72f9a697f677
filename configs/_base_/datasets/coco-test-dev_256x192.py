_base_ = ['coco_256x192.py']

# Without annotations: predictions are written for COCO's evaluation server. A config says where (outfile_prefix)
data_root = 'data/coco/'
test_dataloader = dict(
    dataset=dict(
        ann_file='annotations/image_info_test-dev2017.json',
        bbox_file=data_root + 'person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json',
        data_prefix=dict(img='test2017/'),
    )
)
test_evaluator = dict(format_only=True)
