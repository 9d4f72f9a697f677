"""Poses as JSON, in MMPose's form and in COCO's."""

import json

import numpy as np
import pytest
from made_results import META, person
from mmpose.evaluation.metrics import CocoMetric

from mmtranspose.apis import inference_topdown
from mmtranspose.files.json_files import write_json
from mmtranspose.results.prediction_files import coco_results, instances_of, results_dict

BOXES = [[20, 15, 120, 290, 0.75], [100.5, 30.25, 230, 300, 0.5]]


@pytest.fixture
def samples(tiny_model, people):
    return inference_topdown(tiny_model, str(people / 'val' / '000000000001.jpg'), BOXES)


def test_values_are_the_samples(samples, tiny_model):
    result = results_dict('street.jpg', samples, tiny_model.dataset_meta)
    assert [one['bbox_score'] for one in result['instance_info']] == [0.75, 0.5]
    for one, sample, box in zip(result['instance_info'], samples, BOXES, strict=True):
        np.testing.assert_array_equal(np.float32(one['keypoints']), np.float32(sample.pred_instances.keypoints[0]))
        np.testing.assert_array_equal(one['keypoint_scores'], sample.pred_instances.keypoint_scores[0])
        assert np.ravel(one['bbox']).tolist() == box[:4]


def test_what_it_tells_of_the_image(samples, tiny_model):
    meta = results_dict('street.jpg', samples, tiny_model.dataset_meta)['meta_info']
    assert (meta['image'], meta['dataset_name']) == ('street.jpg', 'coco')
    assert meta['keypoint_names'][:3] == ['nose', 'left_eye', 'right_eye'] and len(meta['keypoint_names']) == 17


def test_nobody(tiny_model):
    result = results_dict('street.jpg', [], tiny_model.dataset_meta)
    assert result['instance_info'] == [] and result['meta_info']['image'] == 'street.jpg'


def test_written_values_come_back(samples, tiny_model, tmp_path):
    result = results_dict('größe.jpg', samples, tiny_model.dataset_meta)
    write_json(tmp_path / 'a.json', result)
    assert json.loads((tmp_path / 'a.json').read_text(encoding='utf-8')) == json.loads(
        json.dumps(result, default=float)
    )


class TestForms:
    def test_of_mmpose(self):
        people = instances_of([person(0), person(1, track_id=7)])
        assert [sorted(each) for each in people] == [
            ['bbox', 'bbox_score', 'keypoint_scores', 'keypoints'],
            ['bbox', 'bbox_score', 'keypoint_scores', 'keypoints', 'track_id'],
        ]
        assert people[1]['track_id'] == 7 and people[1]['bbox'] == ([4, 6, 41, 46.5],)
        np.testing.assert_array_equal(people[0]['keypoints'], person(0).pred_instances.keypoints[0])

    def test_of_coco_is_what_the_metric_of_mmpose_writes(self, people, tmp_path):
        """The same keypoints and scores as ``CocoMetric`` with its defaults writes into its file."""
        samples = [person(seed) for seed in range(3)]
        samples[2].pred_instances.keypoint_scores[:] = 0.1  # none is sure
        annotations = str(people / 'annotations' / 'person_keypoints_val.json')
        metric = CocoMetric(annotations, nms_mode='none', format_only=True, outfile_prefix=str(tmp_path / 'coco'))
        metric.dataset_meta = META
        for number, sample in enumerate(samples):
            gt = dict(bbox_scores=np.ones(1), bbox_scales=np.ones((1, 2)))
            of_metric = dict(id=number, img_id=1, pred_instances=dict(sample.pred_instances.items()))
            metric.process([], [of_metric | dict(gt_instances=gt, category_id=1)])
        metric.evaluate(3)
        theirs = json.loads((tmp_path / 'coco.keypoints.json').read_text())
        ours = coco_results(samples, image_id=1)
        assert len(ours) == len(theirs) == 3 and ours[2]['score'] == 0 < ours[1]['score']
        for one in ours:
            match = next(each for each in theirs if np.allclose(each['keypoints'], one['keypoints'], atol=1e-4))
            assert match['score'] == pytest.approx(one['score'], abs=1e-5)
            assert (match['image_id'], match['category_id']) == (one['image_id'], one['category_id'])
        assert ours[1]['bbox'] == [4, 6, 37, 40.5]
