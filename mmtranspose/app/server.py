"""Serve the page, on one machine or to a network, without contacting any other server."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmtranspose.app.explorer import Explorer
from mmtranspose.app.page_look import CSS, FIXED_FONTS, FONTS, page_scripts
from mmtranspose.errors import InputError
from mmtranspose_cli.optional_packages import pip_install

if TYPE_CHECKING:
    import gradio as gr

LARGEST_UPLOAD = '32mb'
SESSIONS = 32  # number of images held at once; the one that was not used for longest goes


@contextmanager
def serve(
    explorer: Explorer,
    title: str,
    host: str = '127.0.0.1',
    port: int | None = 7860,
    examples: Sequence[Path] = (),
) -> Iterator[str]:
    """Serve the page while the ``with`` block lasts.

    Uploads and the images made of them lie in a folder of the server's own, which is removed afterwards.

    Args:
        explorer (Explorer): Finds and explains people.
        title (str): The model's name.
        host (str): The address to listen on.
        port (int | None): The port; None takes a free one from 7860 on.
        examples (Sequence[Path]): Images to choose from.

    Yields:
        str: The page's address.

    Raises:
        InputError: gradio is not installed, an example cannot be read, or the port is in use or cannot be listened on.
    """
    require_gradio()
    require_free(host, port)
    with (
        tempfile.TemporaryDirectory(prefix='mmtranspose-app-', ignore_cleanup_errors=True) as folder,
        _environment(GRADIO_TEMP_DIR=str(Path(folder).resolve()), no_proxy=_no_proxy(host)),
    ):
        from mmtranspose.app.gradio_page import Page

        blocks = Page(explorer, title, examples).blocks
        try:
            yield _launch(blocks, host, port, Path(folder))
        finally:
            blocks.close(verbose=False)


def require_gradio() -> None:
    """Check that gradio is installed.

    Raises:
        InputError: gradio is not installed; says how to install it.
    """
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError(f'the page needs gradio: {pip_install("gradio")} ({error})') from None


def require_free(host: str, port: int | None) -> None:
    """Check that a port can be listened on; None and 0, for which a free one is taken, always can.

    Raises:
        InputError: Another program listens there, the port may not be used, or this machine has no such address.
    """
    if not port:
        return
    try:
        family, _, _, _, place = socket.getaddrinfo(host.strip('[]'), port, type=socket.SOCK_STREAM)[0]
        socket.create_server(place[:2], family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f'port {port} of {host} is in use: choose another by --port') from None
        if error.errno == errno.EACCES:
            raise InputError(
                f'port {port} of {host} may not be used by you: choose one from 1024 on by --port'
            ) from None
        raise InputError(f'{host} is no address of this machine ({error.strerror}): choose another by --host') from None


def _launch(blocks: gr.Blocks, host: str, port: int | None, folder: Path) -> str:
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from mmtranspose.app.confinement import Confined

    middleware = [Middleware(Confined, folder=folder)]
    if _is_local(host):  # so that no other site can pass itself off as this one
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=['127.0.0.1', 'localhost', '[::1]']))
    try:
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            app_kwargs=dict(middleware=middleware),
            max_file_size=LARGEST_UPLOAD,
            state_session_capacity=SESSIONS,
            theme=gr.themes.Default(font=FONTS, font_mono=FIXED_FONTS),
            css=CSS,
            head=page_scripts(),
            footer_links=[],
            inline=False,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            run_history=False,
            enable_monitoring=False,
            num_workers=0,
        )
    except (OSError, OverflowError) as error:
        ports = port or '7860 to 7959'
        raise InputError(f'cannot listen on {host}, port {ports}: choose another by --port or --host') from error
    return address


def _is_local(host: str) -> bool:
    try:
        return host == 'localhost' or ipaddress.ip_address(host.strip('[]')).is_loopback
    except ValueError:
        return False


def _no_proxy(host: str) -> str:
    """The hosts to reach without a proxy: gradio asks its own server whether it has started."""
    known = os.environ.get('no_proxy') or os.environ.get('NO_PROXY') or ''
    return ','.join(filter(None, [known, host, '127.0.0.1', 'localhost']))


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
