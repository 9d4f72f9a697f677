"""Confine gradio's server to what the page needs: its own files, uploads, and nothing fetched from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = '/gradio_api'
READ = ('/assets/', '/static/', f'{API}/heartbeat/', f'{API}/queue/data', f'{API}/upload_progress')
READ_EXACTLY = ('/', '/config', '/theme.css', '/favicon.ico', '/manifest.json', f'{API}/startup-events')
FILE = f'{API}/file='
UPLOAD, EVENT = f'{API}/upload', f'{API}/queue/join'
WRITE = (UPLOAD, EVENT, f'{API}/cancel', f'{API}/reset')
LONGEST_EVENT = 2**20  # bytes
POLICY = "default-src 'self' 'unsafe-inline' data: blob:; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {'content-security-policy': POLICY, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer'}


class Confined:
    """ASGI middleware that answers 404 to every request that the page does not need.

    gradio fetches web addresses for whoever asks (``file=http...``, ``proxy=``, a file field that names one); such
    requests are refused, as is every file outside the folder of uploads. A content security policy keeps browsers
    from asking any other server for anything.

    Args:
        app (ASGIApp): gradio's application.
        folder (Path): Where uploads, and the images made of them, lie.
    """

    def __init__(self, app: ASGIApp, folder: Path):
        self.app = app
        self.folder = folder.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to gradio, or answer 404."""
        if scope['type'] != 'http':
            if scope['type'] == 'lifespan':
                await self.app(scope, receive, send)
            return
        allowed, path = self._allows(scope['method'], scope['path']), scope['path'].rstrip('/')
        if allowed and path == EVENT:
            body = await _body(receive)
            allowed, receive = body is not None and not _names_address(body), _replayed(body, receive)
        if not allowed:
            await PlainTextResponse('not found', 404, HEADERS)(scope, receive, send)
            return
        await self.app(scope, receive, _with_headers(send))

    def _allows(self, method: str, path: str) -> bool:
        if method == 'POST':
            return path.rstrip('/') in WRITE
        if method not in ('GET', 'HEAD'):
            return False
        if path.startswith(FILE):
            return self._holds(path[len(FILE) :])
        return path in READ_EXACTLY or path.startswith(READ)

    def _holds(self, name: str) -> bool:
        """Whether a file lies in the folder, after following links."""
        try:
            return Path(name).is_absolute() and Path(name).resolve().is_relative_to(self.folder)
        except (OSError, ValueError):
            return False


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None if it is too long or the client has gone."""
    body = b''
    while True:
        message = await receive()
        body += message.get('body', b'')
        if message['type'] != 'http.request' or len(body) > LONGEST_EVENT:
            return None
        if not message.get('more_body'):
            return body


def _replayed(body: bytes | None, receive: Receive) -> Receive:
    """Make a function that receives a body that was read already, and then what follows it."""
    messages: list[Message] = [dict(type='http.request', body=body or b'', more_body=False)]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _names_address(body: bytes) -> bool:
    """Whether an event's data names a file by a web address instead of a path, or is not JSON."""
    try:
        pending = [json.loads(body)]
    except ValueError:
        return True
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if not isinstance(value.get('path', '/'), (str, type(None))) or '://' in (value.get('path') or ''):
                return True
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return False


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message['type'] == 'http.response.start':
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, 'headers': [*message.get('headers', []), *added]}
        await send(message)

    return sending
