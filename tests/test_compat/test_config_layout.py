"""A config is laid out once for the same text, and anew for another."""

from mmengine.config import Config, config

from mmtranspose.compat import config_layout
from mmtranspose.compat.patching import REPLACED_BY


def test_the_same_text_is_laid_out_once(monkeypatch):
    asked = []

    def laid_out(text, **options):
        asked.append((text, options))
        return text.replace('=', ' = '), True

    monkeypatch.setattr(config, 'FormatCode', laid_out)
    config_layout.apply()
    cfg = Config(dict(a=1, b=[2]))
    first = cfg.pretty_text
    assert first == cfg.pretty_text and first.startswith('a = 1\n') and len(asked) == 1
    cfg.a = 3
    assert cfg.pretty_text.startswith('a = 3') and len(asked) == 2
    for number in range(config_layout.KEPT):
        cfg.a = 10 + number
        assert cfg.pretty_text.startswith(f'a = {10 + number}')
    before = len(asked)
    assert cfg.pretty_text.startswith('a = 13') and len(asked) == before
    cfg.a = 1
    assert cfg.pretty_text.startswith('a = 1\n') and len(asked) == before + 1  # not kept for ever


def test_text_that_is_driven_out_at_once(monkeypatch):
    """As by another thread: when the text is looked up once more, other texts have taken its place."""
    monkeypatch.setattr(config_layout, 'KEPT', 1)
    format_code = config_layout._with_memory(lambda text: text.upper())

    class Text(str):
        looked_up = 0

        def __hash__(self):
            self.looked_up += 1
            if self.looked_up == 3:  # after it was sought and kept
                format_code('b')
            return super().__hash__()

    assert format_code(Text('a')) == 'A'


def test_in_place():
    """In a process of its own: tests lay out nothing."""
    import subprocess
    import sys

    script = f'import mmtranspose\nfrom mmengine.config import config\nassert config.FormatCode.{REPLACED_BY}'
    assert subprocess.run([sys.executable, '-c', script], timeout=60).returncode == 0
