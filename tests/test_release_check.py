"""What `make release-check` finds: one broken copy for each of its checks, and this repository."""

import zipfile

import pytest
import yaml
from conftest import ROOT

from requirements import release_check

CHANGES = '# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-01-31\n\n- A line.\n\n## 1.1.0 - 2025-12-01\n'


@pytest.fixture
def project(tmp_path):
    """A repository of which nothing is to be said."""
    (tmp_path / 'mmtranspose').mkdir()
    (tmp_path / 'mmtranspose' / 'version.py').write_text("__version__ = '1.2.0'\n")
    (tmp_path / 'CHANGELOG.md').write_text(CHANGES)
    (tmp_path / 'CITATION.cff').write_text("cff-version: 1.2.0\nversion: 1.2.0\ndate-released: '2026-01-31'\n")
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'was', 'broken', 'found'),
    [
        ('CHANGELOG.md', '- A line.', '- Another line.', []),
        (
            'mmtranspose/version.py',
            '1.2.0',
            '1.3.0',
            [
                'CHANGELOG.md: its newest version is 1.2.0, and mmtranspose/version.py has 1.3.0.',
                'CITATION.cff: version is 1.2.0, and should be 1.3.0.',
                'The commit has the tag v1.2.0, and mmtranspose/version.py has 1.3.0.',
            ],
        ),
        (
            'CHANGELOG.md',
            '1.2.0 - 2026-01-31',
            '1.2.0',
            [
                'CHANGELOG.md: the heading of 1.2.0 needs a date: "## 1.2.0 - YYYY-MM-DD".',
                'CITATION.cff: date-released is 2026-01-31, and should be None.',
            ],
        ),
        (
            'CHANGELOG.md',
            'Unreleased\n',
            'Unreleased\n\n- New.\n',
            ['CHANGELOG.md: there are changes under "Unreleased"; move them under 1.2.0.'],
        ),
        (
            'CITATION.cff',
            '2026-01-31',
            '2026-01-30',
            ['CITATION.cff: date-released is 2026-01-30, and should be 2026-01-31.'],
        ),
    ],
)
def test_versions_that_differ_are_named(project, name, was, broken, found):
    text = (project / name).read_text()
    assert text.count(was) == 1
    (project / name).write_text(text.replace(was, broken))
    assert release_check.version_problems(project, ['v1.2.0', 'nightly']) == found


def test_a_file_without_a_version_ends_the_check(project):
    (project / 'CITATION.cff').write_text('title: none\n')
    with pytest.raises(release_check.CheckError, match=r'^CITATION\.cff has no line like \^version'):
        release_check.version_problems(project)


def test_placeholders_are_named_by_line(project):
    (project / 'a.md').write_text('fine: OWNER of a file\nhttps://github.com/OWNER/mmtranspose\n')
    (project / 'b.py').write_text("OWNER = 'OWNER'\nurl = 'https://OWNER.github.io/x'\n")
    places = [
        problem.split(' OWNER ')[0]
        for problem in release_check.placeholder_problems(project, ['a.md', 'b.py', 'CHANGELOG.md'])
    ]
    assert places == ['a.md:2:', 'b.py:1:', 'b.py:2:']


def test_files_that_a_wheel_lacks_or_should_not_have_are_named():
    files = ['mmtranspose/a.py', 'mmtranspose/.mim/configs', 'mmtranspose_cli/b.py', 'configs/c.py', 'tests/test_a.py']
    names = ['mmtranspose/a.py', 'mmtranspose_cli/b.py', 'mmtranspose/.mim/configs/c.py', 'x-1.dist-info/METADATA']
    assert release_check.wheel_problems(names, files) == []
    assert release_check.wheel_problems([*names[1:], 'tests/test_a.py'], files) == [
        'The wheel lacks mmtranspose/a.py: see package_data in setup.py.',
        'The wheel contains tests/test_a.py, which does not belong there.',
    ]


def test_two_wheels_are_compared_by_content(tmp_path):
    for name, text in (('one', 'x = 1'), ('same', 'x = 1'), ('other', 'x = 2')):
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            archive.writestr('a/b.py', text)
            archive.writestr('a.dist-info/RECORD', name)
    assert release_check.twin_problems(tmp_path / 'one', tmp_path / 'same') == []
    assert release_check.twin_problems(tmp_path / 'one', tmp_path / 'other') == [
        'a/b.py differs between the wheel of the sdist and the wheel of the repository.'
    ]


def test_a_command_that_fails_says_what_it_printed():
    with pytest.raises(release_check.CheckError, match=r'^`python -c .*failed:\n    bad news$'):
        release_check.run('python', '-c', 'print("bad news"); raise SystemExit(3)')


def test_versions_of_this_repository_agree():
    problems = release_check.version_problems(ROOT)
    assert [problem for problem in problems if 'Unreleased' not in problem] == []


def test_the_release_workflow_publishes_what_was_checked():
    flow = yaml.safe_load((ROOT / '.github' / 'workflows' / 'release.yml').read_text())
    assert flow[True] == {'push': {'tags': ['v*']}}  # YAML reads "on" as true
    build, publish = flow['jobs']['build'], flow['jobs']['publish']
    assert [step['run'] for step in build['steps'] if 'run' in step] == ['make release-check']
    (kept,) = [step['with']['path'] for step in build['steps'] if 'upload-artifact' in step.get('uses', '')]
    assert ROOT / kept == release_check.WORK / 'dist'
    assert publish['needs'] == 'build' and not [step for step in publish['steps'] if 'run' in step]
