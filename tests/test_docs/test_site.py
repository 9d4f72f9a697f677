"""The pages of the site: links that leave the docs, included sections, navigation; and the check of links."""

import shutil
import subprocess

import build_site
import links
import pytest
import sources
from page_waits import wait_until

pytest_plugins = ['browser']


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two pages, a README and a folder."""
    root = tmp_path / 'project'
    for name, text in {
        'README.md': '# Read me\n\n## Install it, now\n\n[no](docs/none.md) [page](docs/a.md#the-end)\n',
        'tools/x.sh': '',
        'docs/a.md': '# A\n\n[r](../README.md#install-it-now) [t](../tools) [b](sub/b.md) '
        '`[c](../README.md)` [n](n.ipynb)\n\n## The end\n',
        'docs/sub/b.md': '# B\n\n<!-- include: README.md "Install it, now" -->\n\n```\n[c](../../README.md)\n```\n',
        'docs/n.ipynb': '{}',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(sources, 'ROOT', root)
    monkeypatch.setattr(sources, 'DOCS', root / 'docs')
    monkeypatch.setattr(links, 'ROOT', root)
    links.read_page.cache_clear()
    return root


def test_links_out_of_the_docs_lead_to_the_repository(project):
    text = sources.page(project / 'docs' / 'a.md')
    at = sources.REPOSITORY
    assert f'[r]({at}/blob/main/README.md#install-it-now) [t]({at}/tree/main/tools) [b](sub/b.md)' in text
    assert '`[c](../README.md)` [n](n.md)' in text


def test_included_section_has_links_of_its_reader(project):
    text = sources.page(project / 'docs' / 'sub' / 'b.md')
    assert text.startswith('# B\n\n[no](') and '[page](../a.md#the-end)' in text
    assert '```\n[c](../../README.md)\n```' in text
    with pytest.raises(SystemExit, match='includes the section "Gone" of .*README.md, which has none'):
        sources.section(project / 'README.md', 'Gone', project / 'docs' / 'a.md')


def test_broken_links_of_html(project):
    site = project / 'site'
    site.mkdir()
    at = sources.REPOSITORY
    (site / 'index.html').write_text(
        f'<a href="b.html#there">1</a><a href="b.html#not">2</a><a href="c.html">3</a><img src="d.png">'
        f'<a href="{at}/blob/main/README.md#install-it-now">4</a><a href="{at}/blob/main/GONE.md">5</a>'
        '<a href="https://example.org/x">6</a><a href="#here" id="here">7</a>'
    )
    (site / 'b.html').write_text('<h1 id="there">B</h1>')
    told = [line.partition(': ')[2] for line in links.broken_links([site / 'index.html'])]
    assert told == [
        'b.html#not leads to an anchor that is not there',
        'c.html leads to a file that is not there',
        'd.png leads to a file that is not there',
        f'{at}/blob/main/GONE.md leads to a file that is not there',
    ]


def test_broken_links_of_markdown(project):
    (project / 'docs' / 'c.md').write_text(
        '- [1](a.md#the-start "t") <img src="lost.png"> `[2](no/link.md)`\n\n  ```\n  [3](nor/this.md)\n  ```\n'
        '[4](mailto:a@b.c) [5](https://a.org/b.md) [6](#here) [7](../tools) [8][below]\n\n[below]: lost.md\n'
    )
    pages = [project / 'README.md', *(project / 'docs' / name for name in ('a.md', 'c.md'))]
    assert [line.partition(': ')[2] for line in links.broken_links(pages)] == [
        'docs/none.md leads to a file that is not there',
        'a.md#the-start leads to an anchor that is not there',
        'lost.png leads to a file that is not there',
        '#here leads to an anchor that is not there',
        'lost.md leads to a file that is not there',
    ]


def test_links_of_this_repository_lead_somewhere():
    pages = links.markdown_files()
    listed = subprocess.run(['git', 'ls-files', '*.md'], cwd=links.ROOT, capture_output=True, text=True)
    if not listed.returncode:
        assert {links.ROOT / name for name in listed.stdout.splitlines() if (links.ROOT / name).exists()} <= {*pages}
    assert len(pages) > 40
    assert links.broken_links(pages) == []


def test_addresses_that_do_not_answer_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(links, 'problem_of', lambda address: '' if address.endswith('/fine') else 'HTTP Error 404')
    page = tmp_path / 'a.html'
    page.write_text(
        f'<a href="https://example.org/fine#x"></a><a href="https://example.org/gone"></a><a href="b.html"></a>'
        f'<a href="{links.REPOSITORY}/issues"></a>'
    )
    assert links.broken_external([page]) == [f'{page}: https://example.org/gone: HTTP Error 404']


def test_files_of_other_hosts_are_told(tmp_path):
    (tmp_path / 'index.html').write_text(
        '<script src="https://cdn.example/x.js"></script><a href="https://example.org">fine</a>'
        '<link rel="canonical" href="https://example.org/"><img src="//img.example/x.png"><script src="a.js"></script>'
    )
    (tmp_path / 'a.css').write_text('@import url("https://fonts.example/x.css");')
    (tmp_path / 'b.css').write_text('a { background: url("data:image/svg+xml,http://www.w3.org") }')
    told = [line.rpartition(' loads ')[2] for line in links.loaded_from_elsewhere(tmp_path)]
    assert told == ['https://cdn.example/x.js', '//img.example/x.png', 'from another host']


def test_search_of_a_site_that_is_opened_from_files(tmp_path, monkeypatch, browser):
    """A stand-in for the theme, which starts its program by ``Worker`` and loads ``search.js`` in place of JSON."""
    monkeypatch.setattr(build_site, 'SITE', tmp_path)
    folder = tmp_path / 'assets' / 'javascripts' / 'workers'
    folder.mkdir(parents=True)
    program = "onmessage = (event) => postMessage(`'${event.data}' </script> é`);"
    (folder / 'search.0a1b.min.js').write_text(program, encoding='utf-8')
    (tmp_path / 'search.json').write_text('{"items": [1, 2]}')
    build_site.write_offline_search()
    shutil.copy(sources.DOCS / 'offline_search.js', tmp_path)
    (tmp_path / 'index.html').write_text(
        '<meta charset="utf-8"><script src="./offline_search.js"></script><script src="./search.js"></script><script>'
        "const worker = new Worker('./assets/javascripts/workers/search.0a1b.min.js');"
        'worker.onmessage = (event) => { document.title = event.data + __index.items.length; };'
        "worker.postMessage('asked at once');</script>"
    )
    page = browser.new_page()
    try:
        page.goto((tmp_path / 'index.html').as_uri())
        wait_until(page, 'wanted => document.title === wanted', "'asked at once' </script> é2")
        page.evaluate("worker.postMessage('asked again')")
        wait_until(page, 'wanted => document.title === wanted', "'asked again' </script> é2")
    finally:
        page.close()


def test_patterns_of_the_navigation(tmp_path, monkeypatch):
    monkeypatch.setattr(build_site, 'PAGES', tmp_path)
    for name in ('a.md', 'cards/index.md', 'cards/b.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = []
    nav = [{'A': 'a.md'}, {'Cards': ['cards/index.md*', 'cards/*.md']}, {'None': ['none/*.md']}]
    assert build_site.expanded(nav, listed) == [{'A': 'a.md'}, {'Cards': ['cards/index.md', 'cards/b.md']}]
    assert listed == ['a.md', 'cards/index.md', 'cards/b.md']
