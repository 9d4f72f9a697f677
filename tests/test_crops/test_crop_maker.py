"""Crops of boxes, as a config's test pipeline cuts them."""

import numpy as np

from mmtranspose.crops.crop_maker import prepare_crops


def test_crops_are_the_images_pixels(tiny_model):
    # a box with the input's aspect, so large that each input pixel is one image pixel: (48 - 1) / 1.25 + ... wide
    image = np.random.default_rng(1).integers(0, 256, (80, 70, 3), dtype=np.uint8)
    width, height = 48 / 1.25, 64 / 1.25
    left, top = 10 + (48 - width) / 2, 8 + (64 - height) / 2
    batch = prepare_crops(tiny_model, image, np.array([[left, top, left + width, top + height]], np.float32))
    np.testing.assert_allclose(batch['inputs'][0].permute(1, 2, 0), image[8 : 8 + 64, 10 : 10 + 48], atol=1)
