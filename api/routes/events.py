"""Live changes as server-sent events; the one asynchronous route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.deps import QueriesDep
from api.event_stream import stream_events

router = APIRouter(tags=["events"])


def _check_centre(queries: QueriesDep, centre: str | None = None) -> str | None:
    """Fail before the stream begins: afterwards it is too late for a problem."""
    network = queries.network()
    if centre is not None:
        network.centre(centre)
    return centre


@router.get("/events", operation_id="events", response_class=EventSourceResponse)
async def stream_live_events(
    queries: QueriesDep,
    centre: Annotated[str | None, Depends(_check_centre)],
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream `hello`, `centre.state`, `queue` and `ping`; ids are live versions."""
    last_version = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else None
    async for event in stream_events(queries, centre, last_version, asyncio.sleep):
        yield event
