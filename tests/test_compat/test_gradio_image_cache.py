import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

processing_utils = pytest.importorskip('gradio.processing_utils', reason='gradio is not installed')


@pytest.mark.parametrize('as_array', [True, False])
def test_an_image_shown_again_replaces_its_file(tmp_path, as_array):
    """Whoever is reading the file then reads all of it: it is renamed into its place, not written there."""
    pixels = np.random.randint(256, size=(20, 30, 3), dtype=np.uint8)
    if as_array:
        save, image = processing_utils.save_img_array_to_cache, pixels
    else:
        save, image = processing_utils.save_pil_to_cache, Image.fromarray(pixels)
    path = save(image, str(tmp_path / 'cache'), format='png')
    with open(path, 'rb') as reader:
        assert save(image, str(tmp_path / 'cache'), format='png') == path
        assert os.fstat(reader.fileno()).st_ino != os.stat(path).st_ino
        assert reader.read() == Path(path).read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pixels)
    assert [file for file in (tmp_path / 'cache').rglob('*') if file.is_file()] == [Path(path)]
    assert len(list((tmp_path / 'cache').iterdir())) == 1
