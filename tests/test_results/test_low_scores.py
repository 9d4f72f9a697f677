"""The warning of low scores: which images it counts, and that a run says it once and leaves the files as they are."""

import json

import numpy as np
import pytest
from made_results import frames, result, still

from mmtranspose.results import LowScores, Progress


def scores(low, total=10):
    return np.where(np.arange(total) < low, 0.29, 0.3)


@pytest.mark.parametrize(
    ('people', 'said'),
    [
        ([scores(4)], 'a.jpg: 4 of 10 keypoints score below 0.3; cure'),
        ([scores(3)], ''),
        ([np.full(5, np.nan)], 'a.jpg: 5 of 5 keypoints score below 0.3; cure'),
        ([scores(4), scores(6)], 'a.jpg: 10 of 20 keypoints of 2 people score below 0.3; cure'),
        ([scores(10), scores(0)], ''),  # one of them is whole
        ([], ''),
    ],
)
def test_one_image(people, said):
    low_scores = LowScores(0.3, 'cure')
    low_scores.add('folder/a.jpg', people)
    assert low_scores.sentence() == said


def test_a_run_counts():
    low_scores = LowScores(0.3, 'cure')
    for name, low in (('a.jpg', 0), ('b.jpg', 5), ('c.jpg', 9)):
        low_scores.add(name, [scores(low)])
    low_scores.add('nobody.jpg', [])
    said = 'in 2 of 3 images or frames, every pose has many low scores: b.jpg, c.jpg. b.jpg: 5 of 10 keypoints score'
    assert low_scores.sentence() == f'{said} below 0.3; cure'
    for number in range(20):
        low_scores.add(f'{number}.jpg', [scores(9)])
    assert 'in 22 of 23 images' in low_scores.sentence() and ', 6.jpg, 7.jpg, .... b.jpg: ' in low_scores.sentence()


def test_progress_says_it_once_at_the_end(capsys):
    progress = Progress(low_scores=LowScores(2.0))
    for frame in frames('clip.mp4', range(3)):
        progress.advance(result(frame, 0))
    progress.advance(result(still('nobody.png')))
    assert 'keypoints' not in capsys.readouterr().err
    progress.close()
    said = [line for line in capsys.readouterr().err.splitlines() if 'keypoints' in line]
    assert len(said) == 1 and said[0].startswith('in 3 of 3 images or frames, every pose has many low scores: ')
    assert 'clip.mp4, frame 0: 17 of 17 keypoints score below 2; is the whole person, head to feet' in said[0]


def test_infer(run_command, tiny_config, tiny_checkpoint, people, tmp_path, capsys):
    image = people / 'val' / '000000000001.jpg'
    given = (tiny_config, tiny_checkpoint, '--input', image, '--bboxes', 'whole-image')
    found = []
    for threshold in ('2', '-1'):
        out = tmp_path / threshold
        assert run_command('infer', *given, '--output-root', out, '--kpt-thr', threshold) == 0
        warned = '000000000001.jpg: 17 of 17 keypoints score below 2;' in capsys.readouterr().err
        assert warned == (threshold == '2')
        found.append(
            {name: json.loads((out / name).read_text()) for name in ('000000000001.json', 'results_coco.json')}
        )
    assert found[0] == found[1]
