"""Write a folder that a static server serves: a page that runs an exported file in the browser that opens it."""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

from mmtranspose.deployment.file_meta import FileMeta
from mmtranspose.deployment.web_folder.browser_files import detector_file, pose_file
from mmtranspose.deployment.web_folder.npm_package import BINARIES, SCRIPTS, runtime_package
from mmtranspose.errors import InputError
from mmtranspose.files.output_paths import (
    PartialFile,
    errors_name,
    partial_file,
    remove_abandoned_partials,
    require_writable,
)
from mmtranspose.typing import PathLike

ASSETS = Path(__file__).parent
COPIED = (
    *('page.css', 'page.js', 'box.js', 'estimator.js', 'files.js', 'intake.js', 'memory.js', 'offline.js'),
    *('people.js', 'worker.js', 'icon.svg', 'app.webmanifest'),
)
LIST = 'mmtranspose_web.json'  # names the files of a folder that this module wrote
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self' blob:; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
# What the page needs of a file's metadata.
SHOWN = ('model', 'keypoint_names', 'skeleton', 'input_size', 'token_grid', 'token_to_crop', 'num_layers', 'dependency')


@dataclass(frozen=True)
class Viewer:
    """The part of a page that shows maps and lets people choose among them: that of the explanation page.

    Attributes:
        html (str): Its elements.
        style (str): CSS, of the whole page's look too.
        script (str): JavaScript without exports.
        heat (dict): Colours and opacities of weights.
    """

    html: str
    style: str
    script: str
    heat: Mapping[str, Any]


def write_web_folder(
    model: PathLike,
    root: PathLike,
    viewer: Viewer,
    detector: PathLike | None = None,
    runtime: PathLike | None = None,
) -> Path:
    """Write a folder whose page estimates poses in the browser and shows what each keypoint depends on.

    The folder needs a static server and nothing else; the page sends nothing, and works without a network once it has
    been loaded. All files are written before the first one replaces an earlier one; ``index.html`` is the last.

    Args:
        model (str | Path): ONNX file of :func:`~mmtranspose.deployment.export_model`, graph ``'image'``. Without
            dependency, the page shows poses alone and says so.
        root (str | Path): The folder. It may hold an earlier one, whose files are replaced, and other files.
        viewer (Viewer): What shows the maps.
        detector (str | Path | None): ONNX file of ``mmtranspose export-detector``; None: boxes are drawn by hand.
        runtime (str | Path | None): Folder of the npm package onnxruntime-web; None fetches it with npm.

    Returns:
        Path: ``root``.

    Raises:
        InputError: A file cannot be used, the package cannot be had, the folder cannot be written to, or it holds a
            file of somebody else that would be overwritten.
    """
    folder, path = Path(root).expanduser(), Path(model).expanduser()
    given = {'model.onnx': path, **({} if detector is None else {'detector.onnx': Path(detector).expanduser()})}
    require_writable(folder)
    require_writable(folder / 'runtime')
    meta = pose_file(path)
    least = None if detector is None else detector_file(given['detector.onnx'])
    earlier = _earlier(folder)
    with runtime_package(None if runtime is None else Path(runtime).expanduser()) as package:
        given.update({f'runtime/{name}': file for name, file in package.items()})
        texts = _texts(meta, viewer, least, {name: _described(name, file) for name, file in given.items()})
        _require_free(folder, [*given, *texts], earlier)
        with _made(folder / 'runtime'):
            _write(folder, given, texts, earlier)
    return folder


def _texts(meta: FileMeta, viewer: Viewer, least: float | None, large: Mapping[str, dict]) -> dict[str, str]:
    """The small files by name, ``index.html`` last."""
    texts = {name: _asset(name) for name in COPIED}
    texts['viewer.css'] = viewer.style
    texts['viewer.js'] = viewer.script + _asset('viewer_exports.js')
    runtime = {
        name: dict(script=f'runtime/{SCRIPTS[name]}', binary=large[f'runtime/{BINARIES[name]}']) for name in SCRIPTS
    }
    described = dict(
        model=dict(**large['model.onnx'], meta={name: asdict(meta)[name] for name in SHOWN}),
        detector=None if least is None else dict(**large['detector.onnx'], least=least),
        runtime=runtime,
        heat=dict(viewer.heat),
    )
    page = _page(meta, viewer, described)
    shell = ['index.html', *texts, *(one['script'] for one in runtime.values())]
    version = hashlib.sha256(json.dumps([page, texts, large], sort_keys=True).encode()).hexdigest()[:16]
    constants = json.dumps(dict(shell=shell, version=version, policy=POLICY))
    texts['service_worker.js'] = f'const FOLDER = {constants};\n' + _asset('service_worker.js')
    return {**texts, 'index.html': page}


def _page(meta: FileMeta, viewer: Viewer, described: dict) -> str:
    found = '<b>People are found</b> by the detector, and you may draw boxes around others.'
    drawn = '<b>Draw a box around a person,</b> or take the whole image.'
    maps = '<b>Click a keypoint:</b> the map shows what it depends on, layer by layer.'
    alone = (
        '<b>See the pose.</b> This file was exported without dependency, so there are no maps of what it depends on.'
    )
    return Template(_asset('page.html')).substitute(
        policy=html.escape(POLICY),
        title=html.escape(f'Poses by {meta.model}'),
        model=html.escape(meta.model),
        step_boxes=found if described['detector'] else drawn,
        step_maps=maps if meta.dependency else alone,
        viewer=viewer.html,
        folder=json.dumps(described).replace('<', '\\u003c'),
    )


def _described(name: str, path: Path) -> dict:
    content = path.read_bytes()
    return dict(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding='utf-8')


def _earlier(folder: Path) -> list[str]:
    """Files of an earlier folder of ours, relative to it; none where the folder is not ours."""
    try:
        names = json.loads((folder / LIST).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return []
    written = [name for name in names if isinstance(name, str)]
    return [name for name in written if name.removeprefix('runtime/') == Path(name).name != '..']


def _require_free(folder: Path, names: list[str], earlier: list[str]) -> None:
    for name in names:
        if name not in earlier and (folder / name).exists():
            raise InputError(
                f'--output-root {folder} holds another {name}, which this command did not write: choose another folder'
            )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; after an error, remove the ones that were made."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # what somebody else has put there meanwhile stays
            for path in missing:
                path.rmdir()
        raise


def _write(folder: Path, given: Mapping[str, Path], texts: Mapping[str, str], earlier: list[str]) -> None:
    """Write all files, give them their names, then delete those of an earlier folder that are not among them."""
    for place in (folder, folder / 'runtime'):
        remove_abandoned_partials(place)  # of a run that was killed
    names = [*given, *texts]
    with ExitStack() as stack:
        files = [_prepared(folder / name, given.get(name) or texts[name], stack) for name in names]
        _write_list(folder, {*names, *earlier})
        for file in files:
            file.complete()
    for name in set(earlier) - set(names):
        (folder / name).unlink(missing_ok=True)
    _write_list(folder, set(names))


def _prepared(path: Path, content: Path | str, stack: ExitStack) -> PartialFile:
    """A file that holds a text, or what another file holds; it is removed with `stack`, unless it has got its name."""
    file = PartialFile(path)
    stack.callback(file.abandon)
    with errors_name(path):
        if isinstance(content, Path):
            shutil.copyfile(content, file.create())
        else:
            file.create().write_text(content, encoding='utf-8')
    return file


def _write_list(folder: Path, names: set[str]) -> None:
    with partial_file(folder / LIST) as path:
        path.write_text(json.dumps(sorted(names)), encoding='utf-8')
