"""A web server on the loopback interface that serves files of weights, and answers wrongly where it is told to."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class WeightsServer:
    """Serves ``files`` by name; ``answers`` gives a name another answer. ``asked`` lists the names in their order."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.url = ''

    def add(self, file: str | Path, name: str = '') -> str:
        """Serve a file; returns its URL."""
        name = name or Path(file).name
        self.files[name] = Path(file)
        return f'{self.url}/{name}'

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        name = handler.path.partition('?')[0].lstrip('/')
        self.asked.append(name)
        if name in self.answers:
            self.answers[name](handler)
        elif name in self.files:
            send(handler, self.files[name].read_bytes())
        else:
            handler.send_error(404)


def send(handler: http.server.BaseHTTPRequestHandler, content: bytes, length: int | None = -1) -> None:
    """Answer with content; ``length`` is what the header says of it (-1: the truth; None: nothing)."""
    handler.send_response(200)
    if length is not None:
        handler.send_header('Content-Length', str(len(content) if length == -1 else length))
    handler.end_headers()
    handler.wfile.write(content)


@contextlib.contextmanager
def weights_server() -> Iterator[WeightsServer]:
    serving = WeightsServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                serving.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        serving.url = f'http://127.0.0.1:{server.server_port}'
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield serving
        server.shutdown()
