"""Where tokens lie in the crop, by hand."""

import numpy as np

from mmtranspose.explain.token_grid import token_to_crop


def test_tokens_by_hand():
    unbiased = 191 / 47, 255 / 63
    doubled = token_to_crop((32, 24), (64, 48), unbiased)
    # token 3 covers heatmap cells 6 and 7, whose middle is 6.5
    np.testing.assert_allclose(doubled @ [3, 3, 1], [6.5 * 191 / 47, 6.5 * 255 / 63])
    same = token_to_crop((64, 48), (64, 48), unbiased)
    np.testing.assert_allclose(same @ [47, 63, 1], [191, 255])
    np.testing.assert_allclose(same @ [0, 0, 1], [0, 0])
