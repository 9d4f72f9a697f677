"""Images that stand where the model does, and a model that stands after --input: one line says what to do."""

import pytest

from mmtranspose.commands import app, explain, infer
from mmtranspose.commands import test as test_command
from mmtranspose.errors import InputError

MODEL = 'transpose-r-small_photographs'


@pytest.mark.parametrize('command', [infer, explain])
@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ([MODEL, 'a.jpg'], 'a.jpg looks like an image: give it as --input a.jpg'),
        ([MODEL, '--bboxes', 'whole-image', 'a.PNG'], 'a.PNG looks like an image: give it as --input a.PNG'),
        (['a.jpg'], 'a.jpg looks like an image: give it as --input a.jpg'),
        ([MODEL, 'b.mp4'], 'b.mp4 looks like a video: give it as --input b.mp4'),
    ],
)
def test_without_input(command, words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        command.parse_arguments(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f'error: {said}\n'


def test_model_after_input(capsys):
    with pytest.raises(SystemExit):
        infer.parse_arguments(['--input', 'a.jpg', MODEL])
    said = f'error: {MODEL} stands among the words after --input: name the model before --input\n'
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ('words', 'message', 'with_example'),
    [
        ([MODEL], 'the following arguments are required: --input', True),
        ([MODEL, '--input=a.jpg', '--radius', 'x'], 'argument --radius: x is not a whole number from 1 on', False),
        (['--input', 'a.jpg'], 'the following arguments are required: config', True),
    ],
)
def test_other_errors_stay(words, message, with_example, capsys):
    with pytest.raises(SystemExit):
        infer.parse_arguments(words)
    first, second, *example = capsys.readouterr().err.splitlines()
    assert first == f'error: {message}' and second.startswith('`mmtranspose infer --help` describes the arguments.')
    assert bool(example) == with_example and all(line.startswith('  mmtranspose infer ') for line in example)


@pytest.mark.parametrize(
    ('command', 'words', 'said'),
    [
        (infer, ['a.jpg', '--input', 'a.jpg'], 'a.jpg looks like an image, and stands where the model does: give it'),
        (infer, [MODEL, 'b.jpg', '--input', 'a.jpg'], 'and stands where the checkpoint does: give it as --input b.jpg'),
        (
            explain,
            [MODEL, '--input', 'a.jpg', 'b.jpg'],
            '--input takes one image, and b.jpg stands where the checkpoint',
        ),
        (app, ['a.jpg'], 'stands where the model does: `mmtranspose infer` and `explain` take images, and the page of'),
        (app, [MODEL, 'a.jpg'], 'a.jpg looks like an image, and stands where the checkpoint does: `mmtranspose infer`'),
        (test_command, [MODEL, 'a.mov'], 'a.mov looks like a video, and stands where the checkpoint does'),
    ],
)
def test_in_the_place_of_model_or_checkpoint(command, words, said):
    with pytest.raises(InputError) as caught:
        command.main(words)
    assert said in str(caught.value)


def test_folder(tmp_path):
    with pytest.raises(InputError, match='looks like a folder, and stands where the checkpoint does: give it as'):
        infer.parse_arguments([MODEL, str(tmp_path), '--input', 'a.jpg'])
