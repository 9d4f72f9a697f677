"""How the command lines end, and the arguments they share."""

import os
import warnings

import pytest
from torch.utils.data import DataLoader

from mmtranspose.commands import command_line
from mmtranspose.errors import InputError
from mmtranspose_cli.parser import command_parser


@pytest.fixture
def kept(monkeypatch):
    """How often memory was asked to be kept; this process's own is left alone."""
    calls = []
    monkeypatch.setattr(command_line.keep_memory, 'apply', lambda: calls.append(1))
    return calls


def ends_with(main) -> object:
    with pytest.raises(SystemExit) as caught:
        command_line.run(main)
    return caught.value.code


def fail(error):
    raise error


class TestRun:
    def test_success(self, kept, capsys):
        assert ends_with(lambda argv: None) is None and ends_with(lambda argv: 3) == 3
        assert kept == [1, 1]
        assert capsys.readouterr().err == ''

    @pytest.mark.parametrize(
        'load',
        [lambda: list(DataLoader([1, 2], pin_memory=True)), lambda: DataLoader([1, 2], num_workers=4096)],
        ids=['pinned memory without an accelerator', 'more processes than cores'],
    )
    def test_what_nobody_can_help_is_no_news(self, kept, load):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            ends_with(lambda argv: load() and warnings.warn('else', stacklevel=1))
        assert [str(one.message) for one in caught] == ['else']

    def test_input_errors_are_one_line(self, kept, capsys):
        assert ends_with(lambda argv: fail(InputError('box 3 is empty'))) == 2
        assert capsys.readouterr().err == 'error: box 3 is empty\n'

    @pytest.mark.parametrize('content', [None, b'', b'no image'])
    def test_unread_images_are_one_line(self, kept, capsys, tmp_path, content):
        from mmpose.datasets.transforms import LoadImage

        path = tmp_path / 'people.jpg'
        if content is not None:
            path.write_bytes(content)
        assert ends_with(lambda argv: LoadImage()(dict(img_path=str(path)))) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f'error: image {path} is missing or damaged: ')

    def test_interruption(self, kept, capsys):
        assert ends_with(lambda argv: fail(KeyboardInterrupt())) == 130
        assert capsys.readouterr().err == 'interrupted\n'

    def test_an_interruption_that_became_an_error(self, kept, capsys):
        def lay_out(argv):
            try:
                raise KeyboardInterrupt
            except BaseException:  # as mmengine's Config.pretty_text
                raise SyntaxError('Failed to format the config file')  # noqa: B904

        assert ends_with(lay_out) == 130
        assert capsys.readouterr().err == 'interrupted\n'

    @pytest.mark.parametrize('error', [ValueError, KeyError, RuntimeError])
    def test_faults_of_the_program_keep_their_traceback(self, kept, error):
        with pytest.raises(error, match='bug'):
            command_line.run(lambda argv: fail(error('bug')))


@pytest.fixture
def parse(monkeypatch):
    def parse(*arguments):
        parser = command_parser('do', 'Does it.', 'mmtranspose do now')
        command_line.add_runner_arguments(parser)
        return command_line.parse(parser, arguments)

    monkeypatch.setenv('LOCAL_RANK', '0')  # so that what parse sets is undone
    return parse


class TestArguments:
    def test_defaults(self, parse):
        args = parse()
        assert (args.work_dir, args.show_dir, args.show, args.interval, args.wait_time) == (None, None, False, 1, 1)
        assert (args.cfg_options, args.launcher) == ({}, 'none')

    def test_config_options(self, parse):
        args = parse('--cfg-options', 'a.b=1', 'c=[1,(2,3)]', 'd=x,y', 'e=True', 'f=None', 'g=1e-3')
        assert args.cfg_options == {'a.b': 1, 'c': [1, (2, 3)], 'd': ['x', 'y'], 'e': True, 'f': None, 'g': 1e-3}

    def test_blanks_in_config_options(self, parse):
        """mmengine takes them out, also of paths."""
        args = parse('--cfg-options', 'data_root=/My Drive/coco/', 'b="two words"', 'c=[1, 2]', 'd=1, 2', 'e= 3')
        assert args.cfg_options == {
            'data_root': '/My Drive/coco/',
            'b': 'two words',
            'c': [1, 2],
            'd': [1, 2],
            'e': 3,
        }

    def test_the_launchers_rank_wins(self, parse, monkeypatch):
        monkeypatch.setenv('LOCAL_RANK', '3')
        parse('--local-rank', '1')
        assert os.environ['LOCAL_RANK'] == '3'

    @pytest.mark.parametrize('flag', ['--local_rank', '--local-rank'])
    def test_the_rank_is_handed_on(self, parse, monkeypatch, flag):
        monkeypatch.delenv('LOCAL_RANK')
        parse(flag, '1')
        assert os.environ['LOCAL_RANK'] == '1'

    @pytest.mark.parametrize(
        ('command', 'flags', 'words'),
        [
            *(
                (command, ('--kpt-thr', value), f'argument --kpt-thr: {value} is not a finite number')
                for command in ('explain', 'explain_dataset', 'infer')
                for value in ('nan', 'inf', 'much')
            ),
            *((one, ('--bbox-thr', 'nan'), '--bbox-thr: nan is not a finite number') for one in ('infer', 'detect')),
            *(
                (one, ('--nms-thr', 'nan'), '--nms-thr: nan is not a number from 0 to 1')
                for one in ('infer', 'detect', 'app', 'export_detector')
            ),
            ('export_detector', ('--score-thr', 'inf'), '--score-thr: inf is not a finite number'),
            ('infer', ('--show-interval', '-1'), '--show-interval: -1 is not a number of seconds from 0 on'),
            ('test', ('--wait-time', 'nan'), '--wait-time: nan is not a number of seconds from 0 on'),
            ('explain_dataset', ('--max-samples', '0'), '--max-samples: 0 is not a whole number from 1 on'),
            ('explain_dataset', ('--faithfulness-samples', '-1'), '--faithfulness-samples: -1 is not a whole number'),
            ('explain_dataset', ('--batch-size', '0.5'), '--batch-size: 0.5 is not a whole number from 1 on'),
            ('explain_dataset', ('--seed', '-1'), '--seed: -1 is not a whole number from 0 on'),
            ('explain_dataset', ('--pages', '-1'), '--pages: -1 is not a whole number from 0 on'),
            ('check_dataset', ('--max-images', '0'), '--max-images: 0 is not a whole number from 1 on'),
            ('check_dataset', ('--num-workers', '0'), '--num-workers: 0 is not a whole number from 1 on'),
            ('check_dataset', ('--examples', '-1'), '--examples: -1 is not a whole number from 0 on'),
            ('demo', ('--num-train', '0'), '--num-train: 0 is not a whole number from 1 on'),
        ],
    )
    def test_numbers_that_cannot_be(self, run_command, capsys, command, flags, words):
        with pytest.raises(SystemExit):
            run_command(command, 'config', 'checkpoint', *flags)
        assert words in capsys.readouterr().err

    def test_unknown_launcher(self, parse, capsys):
        with pytest.raises(SystemExit):
            parse('--launcher', 'kubernetes')
        assert "invalid choice: 'kubernetes'" in capsys.readouterr().err

    def test_help_shows_an_example(self, parse, capsys):
        with pytest.raises(SystemExit):
            parse('--help')
        assert 'example:\n  mmtranspose do now\n' in capsys.readouterr().out
