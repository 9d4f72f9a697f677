"""Results of images as JSON."""

import json
import os

import numpy as np
import pytest

from mmtranspose.apis import inference_topdown
from mmtranspose.files.json_files import write_json
from mmtranspose.results.prediction_files import results_dict

BOXES = [[20, 15, 120, 290, 0.75], [100.5, 30.25, 230, 300, 0.5]]


@pytest.fixture
def samples(tiny_model, people):
    return inference_topdown(tiny_model, str(people / 'val' / '000000000001.jpg'), BOXES)


def test_values_are_the_samples(samples, tiny_model):
    result = results_dict('street.jpg', samples, tiny_model.dataset_meta)
    assert [person['bbox_score'] for person in result['instance_info']] == [0.75, 0.5]
    for person, sample, box in zip(result['instance_info'], samples, BOXES, strict=True):
        np.testing.assert_array_equal(np.float32(person['keypoints']), np.float32(sample.pred_instances.keypoints[0]))
        np.testing.assert_array_equal(person['keypoint_scores'], sample.pred_instances.keypoint_scores[0])
        assert np.ravel(person['bbox']).tolist() == box[:4]


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
    write_json(tmp_path / 'a.json', {'numbers': [np.float32(0.5), np.int64(3)]})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'numbers': [0.5, 3]}
    assert os.listdir(tmp_path) == ['a.json']


def test_a_value_that_json_has_not_leaves_the_old_file(tmp_path):
    (tmp_path / 'a.json').write_text('old')
    with pytest.raises((TypeError, ValueError)):
        write_json(tmp_path / 'a.json', {'a': object()})
    assert (tmp_path / 'a.json').read_text() == 'old' and os.listdir(tmp_path) == ['a.json']


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / 'a.json').write_text('old')

    def fail(source, destination):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='No space left'):
        write_json(tmp_path / 'a.json', {'a': [1.5, 2]})
    assert (tmp_path / 'a.json').read_text() == 'old' and os.listdir(tmp_path) == ['a.json']
