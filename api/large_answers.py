"""Bounds the memory of answers that clients read slowly or not at all; plain ASGI, it must not change a body."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
from fastapi import Request

from api.heavy_queries import ServerBusy
from api.problems import busy_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 65_536
"""What is given to the connection at once; the rest waits until the client has read."""
MAX_PENDING_BYTES = 32_000_000
"""Bytes of answers above one piece that may wait for their clients, in all."""
STALL_S = 30.0
"""A client that reads nothing for this time loses its connection."""
_LOG = logging.getLogger(__name__)


class LargeAnswerMiddleware:
    """Sends large bodies piece by piece and refuses to hold more of them than MAX_PENDING_BYTES."""

    def __init__(self, app: ASGIApp, max_pending_bytes: int = MAX_PENDING_BYTES, stall_s: float = STALL_S) -> None:
        self._app = app
        self._max_pending_bytes = max_pending_bytes
        self._stall_s = stall_s
        self.pending_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; its answer's head is sent with the first part of its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head: list[Message] = []
        is_over = False

        async def send_bounded(message: Message) -> None:
            nonlocal is_over
            if is_over:
                return
            if message["type"] == "http.response.start":
                head.append(message)
                return
            size = len(message.get("body", b""))
            if head and size > PIECE_BYTES and self.pending_bytes + size > self._max_pending_bytes:
                head.clear()
                is_over = True
                await busy_response(Request(scope), ServerBusy())(scope, receive, send)
                return
            for start in head:
                await send(start)
            head.clear()
            is_over = not await self._send_body(message, send)

        await self._app(scope, receive, send_bounded)

    async def _send_body(self, message: Message, send: Send) -> bool:
        """Send a body in pieces; False when the client stopped reading, so that the server closes the connection."""
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or len(body) <= PIECE_BYTES:
            await send(message)
            return True
        self.pending_bytes += len(body)
        try:
            for start in range(0, len(body), PIECE_BYTES):
                more = message.get("more_body", False) or start + PIECE_BYTES < len(body)
                piece = {"type": message["type"], "body": body[start : start + PIECE_BYTES], "more_body": more}
                with anyio.move_on_after(self._stall_s) as patience:
                    await send(piece)
                if patience.cancelled_caught:
                    _LOG.warning("a client read nothing of its answer for %s s: connection closed", self._stall_s)
                    return False
        finally:
            self.pending_bytes -= len(body)
        return True
