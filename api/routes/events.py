"""Live changes as server-sent events; the one asynchronous route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.deps import Asked
from api.event_stream import stream

router = APIRouter(tags=["events"])


def _known_centre(queries: Asked, centre: str | None = None) -> str | None:
    """Fail before the stream begins: afterwards it is too late for a problem."""
    world = queries.world()
    if centre is not None:
        world.centre(centre)
    return centre


@router.get("/events", operation_id="events", response_class=EventSourceResponse)
async def events(
    queries: Asked,
    centre: Annotated[str | None, Depends(_known_centre)],
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream `hello`, `centre.state`, `queue` and `ping`; ids are live versions."""
    last = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else None
    async for event in stream(queries, centre, last, asyncio.sleep):
        yield event
