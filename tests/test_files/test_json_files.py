"""JSON files that cannot be read."""

import pytest

from mmtranspose.errors import InputError
from mmtranspose.files.json_files import read_json


def test_read_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('{"ä": [1, null]}', encoding='utf-8')
    assert read_json(path, 'file') == {'ä': [1, None]}
    for text in ('[' * 100_000, '1' * 5000):  # too deep and too long for Python's reader
        path.write_text(text)
        with pytest.raises(InputError, match=f'recipe {path} is not JSON: '):
            read_json(path, 'recipe')
    with pytest.raises(InputError, match=f'recipe {tmp_path} is not JSON|recipe {tmp_path} .*directory'):
        read_json(tmp_path, 'recipe')
