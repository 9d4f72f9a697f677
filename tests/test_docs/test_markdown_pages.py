"""What is read from Markdown: code blocks, headings with their anchors, sections, text that is no code."""

import markdown_pages
import pytest

TEXT = """# Title

```bash
# no heading
mmtranspose list
```

## One `a_b`

- in a list:

  ```python title="x"
  if True:
      pass
  ```

### Below

Words.

## Two

~~~
```bash
not a block of its own
```
~~~

## Two
"""


def test_code_blocks_with_languages_and_lines():
    bash, python, plain = markdown_pages.code_blocks(TEXT)
    assert bash == ('bash', '# no heading\nmmtranspose list\n', 3)
    assert python == ('python', 'if True:\n    pass\n', 12)
    assert plain == ('', '```bash\nnot a block of its own\n```\n', 23)
    assert markdown_pages.code_blocks(TEXT, 'python', 'yaml') == [python]


def test_headings_and_sections():
    assert markdown_pages.titles(TEXT) == ['One a_b', 'Two', 'Two']
    assert [(heading.level, heading.words) for heading in markdown_pages.headings(TEXT)][::3] == [
        (1, 'Title'),
        (2, 'Two'),
    ]
    one = markdown_pages.section(TEXT, 'One a_b')
    assert one.startswith('\n- in a list:') and one.endswith('### Below\n\nWords.\n\n')
    assert markdown_pages.section(TEXT, 'Below') == '\nWords.\n\n'
    assert markdown_pages.section(TEXT, 'no heading') is None
    assert markdown_pages.section('# A\n\n[b](c)', 'A') == '\n[b](c)'


@pytest.mark.parametrize(
    ('headings', 'anchors'),
    [
        ('## The same, on photographs', ['the-same-on-photographs']),
        ('## `a_b` / c', ['a_b--c']),
        ("## What's *it*?", ['whats-it']),
        ('## A [link](x.md)', ['a-link']),
        ('# Two\n\n## Two\n\n## Two', ['two', 'two-1', 'two-2']),
    ],
)
def test_anchors_are_githubs(headings, anchors):
    html = markdown_pages.to_html(headings)
    assert [part.partition('"')[0] for part in html.split('id="')[1:]] == anchors


def test_code_is_left_as_it_is():
    text = 'a `a` b\n\n- a\n\n  ```\n  a\n  ```\n\n``a ` a`` a\n'
    changed = 'x `a` b\n\n- x\n\n  ```\n  a\n  ```\n\n``a ` a`` x\n'
    assert markdown_pages.outside_code(text, lambda part: part.replace('a', 'x')) == changed
