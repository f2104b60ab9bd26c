"""What every request and answer passes: text in one form, security headers, HEAD as GET; plain ASGI, no buffering."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_from_bytes, urlencode

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


_ASCII = bytes(range(128))


class NormalisedTextMiddleware:
    """Puts path and query parameters into Unicode's composed form (NFC), in which everything is stored.

    Vietnamese letters that a client decomposes find what the composed ones find; bytes that it did not encode are taken
    as UTF-8.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; one that is composed already is passed on as it is."""
        if scope["type"] == "http":
            path, query = unicodedata.normalize("NFC", scope["path"]), scope["query_string"]
            if b"%" in query or not query.isascii():
                query = _normalise_query(query)
            scope = {**scope, "path": path, "query_string": query}
        await self._app(scope, receive, send)


def _normalise_query(query: bytes) -> bytes:
    encoded = quote_from_bytes(query, safe=_ASCII).encode()
    pairs = parse_qsl(encoded.decode(), keep_blank_values=True)
    composed = [(unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", value)) for name, value in pairs]
    return encoded if composed == pairs else urlencode(composed).encode()


class SecurityHeadersMiddleware:
    """Adds the security headers that a response does not set itself; error answers are responses too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to the response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                names = {name.lower() for name, _ in headers}
                message["headers"] = [*headers, *((name, value) for name, value in _HEADERS if name not in names)]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class HeadMiddleware:
    """Answers HEAD with the status and headers of GET; a stream is ended after its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the body of the answer to HEAD is dropped."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif message.get("more_body"):
                stream.cancel()
                await anyio.lowlevel.checkpoint()

        with anyio.CancelScope() as stream:
            await self._app({**scope, "method": "GET"}, receive, send_head)
