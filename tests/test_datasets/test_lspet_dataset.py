"""LSPET's keypoints beside those of AI Challenger and COCO."""

from mmpose.registry import DATASETS


def test_lspet_is_aics_order_with_its_own_spread():
    lspet, aic = (DATASETS.build(dict(type=kind, lazy_init=True)).metainfo for kind in ('LspetDataset', 'AicDataset'))
    for same in ('keypoint_id2name', 'flip_indices', 'upper_body_ids', 'lower_body_ids', 'num_keypoints'):
        assert lspet[same] == aic[same], same
    assert {frozenset(link) for link in lspet['skeleton_links']} == {frozenset(link) for link in aic['skeleton_links']}
    coco = DATASETS.build(dict(type='CocoDataset', lazy_init=True)).metainfo
    for number, name in lspet['keypoint_id2name'].items():
        if name in coco['keypoint_name2id']:
            assert lspet['sigmas'][number] == coco['sigmas'][coco['keypoint_name2id'][name]]
    assert (lspet['sigmas'] > 2 * aic['sigmas']).all()
