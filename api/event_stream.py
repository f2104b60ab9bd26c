"""Live changes as server-sent events, the one asynchronous route; what changes is found by `LiveFeed`.

A client that reconnects gets what is newer than the last version it received.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.deps import QueriesDep

if TYPE_CHECKING:
    from api.live_feed import LiveFeed

router = APIRouter(tags=["events"])
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_VERSION_PATTERN = re.compile(r"[0-9]{1,18}")
_EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["hello", "centre.state", "queue", "system.state", "ping"]},
        "data": {"type": "string", "description": "JSON"},
        "id": {"type": "string", "description": "the live version that the event shows"},
        "retry": {"type": "integer", "minimum": 0, "description": "ms before the client connects again"},
    },
}
_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"itemSchema": _EVENT_SCHEMA}}}}


def parse_last_event_id(header: str | None) -> int | None:
    """Return the live version that a client received last; None when it has none or the text is no version."""
    return int(header) if header and _VERSION_PATTERN.fullmatch(header) else None


async def stream_events(feed: LiveFeed, centre: str | None, last_version: int | None) -> AsyncIterator[bytes]:
    """Yield `hello`, then every batch of changes; ends when the client has fallen too far behind."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the server's loop has ended
            loop.call_soon_threadsafe(woken.set)

    number = await run_in_threadpool(feed.listen, wake)
    try:
        yield await run_in_threadpool(feed.hello, centre, last_version)
        while True:
            await woken.wait()
            woken.clear()
            batches = feed.batches_after(number)
            if batches is None:
                return
            for batch in batches:
                number = batch.number
                if frames := batch.frames_of(centre):
                    yield frames
    finally:
        feed.leave(wake)


def _check_centre(queries: QueriesDep, centre: str | None = None) -> str | None:
    """Raise NotFound before the stream begins: afterwards no problem can be returned."""
    network = queries.network()
    if centre is not None:
        network.centre(centre)
    return centre


@router.get("/events", operation_id="events", response_class=StreamingResponse, responses=_RESPONSES)
async def stream_live_events(
    request: Request,
    centre: Annotated[str | None, Depends(_check_centre)],
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream `hello`, `centre.state`, `queue`, `system.state` and `ping`; ids are live versions."""
    events = stream_events(request.app.state.live_feed, centre, parse_last_event_id(last_event_id))
    return StreamingResponse(events, headers=_HEADERS, media_type="text/event-stream")
