"""Live changes as server-sent events, from versioned rows; the one asynchronous route.

A client that reconnects gets what is newer than the last version it received.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.deps import QueriesDep
from api.times import rfc3339, rfc3339_or_none
from telemetry.errors import MotcuaError
from telemetry.queries.views import count_states

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from telemetry.queries.network import NetworkView
    from telemetry.queries.service import Queries
    from telemetry.queries.views import CentreView

router = APIRouter(tags=["events"])
POLL_INTERVAL_S = 2.0
"""At most one message a centre in this time."""
PING_INTERVAL_S = 15.0


_VERSION_PATTERN = re.compile(r"[0-9]{1,18}")


@dataclass(slots=True)
class _Sent:
    version: int
    states: dict[str, object]
    queues: dict[str, object]


def centre_state_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's condition for the stream."""
    return {
        "centre": view.centre.id,
        "condition": view.condition,
        "open": view.open,
        "counters_open": view.counters_open,
        "devices": count_states(view.devices_in_service),
        "last_data": rfc3339_or_none(view.last_data, view.centre.zone),
    }


def queue_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's queues for the stream."""
    rows = [{"service": s.service, "waiting": s.waiting, "serving": s.serving} for s in view.services]
    return {"centre": view.centre.id, "waiting": view.waiting, "services": rows}


def _changed_views(network: NetworkView, version: int, centre: str | None) -> list[CentreView]:
    changed_ids = [ident for ident in network.snapshot.centres_changed_since(version) if centre in (None, ident)]
    views_by_id = {v.centre.id: v for v in network.centre_views()} if changed_ids else {}
    return [views_by_id[ident] for ident in changed_ids if ident in views_by_id]


def _change_events(network: NetworkView, sent: _Sent, centre: str | None) -> Iterator[ServerSentEvent]:
    version = str(network.snapshot.version)
    for view in _changed_views(network, sent.version, centre):
        ident = view.centre.id
        for event, data, sent_data in (
            ("centre.state", centre_state_data(view), sent.states),
            ("queue", queue_data(view), sent.queues),
        ):
            lasting = _without_volatile(data)
            if sent_data.get(ident) != lasting:
                sent_data[ident] = lasting
                yield ServerSentEvent(event=event, id=version, data=data)
    sent.version = network.snapshot.version


def _without_volatile(data: dict[str, Any]) -> dict[str, Any]:
    """Remove the fields that change with every heartbeat."""
    return {name: value for name, value in data.items() if name != "last_data"}


def _snapshot_event(network: NetworkView, centre: str | None, last_version: int | None) -> ServerSentEvent:
    views = _changed_views(network, -1, centre) if last_version is None else []
    data = {
        "revision": network.snapshot.version,
        "as_of": rfc3339(network.now, network.inventory.zone),
        "resumed": last_version is not None,
        "centres": [{**centre_state_data(v), "waiting": v.waiting} for v in views],
    }
    return ServerSentEvent(event="hello", id=str(network.snapshot.version), data=data, retry=5000)


def _initial_sent(network: NetworkView, centre: str | None, last_version: int | None) -> _Sent:
    """Return what the client has: everything from `hello`, or after a reconnection only what `last_version` covers."""
    if last_version is not None:
        return _Sent(last_version, {}, {})
    views = {v.centre.id: v for v in _changed_views(network, -1, centre)}
    states = {ident: _without_volatile(centre_state_data(v)) for ident, v in views.items()}
    return _Sent(network.snapshot.version, dict(states), {ident: queue_data(v) for ident, v in views.items()})


def parse_last_event_id(header: str | None) -> int | None:
    """Return the live version that a client received last; None when it has none or the text is no version."""
    return int(header) if header and _VERSION_PATTERN.fullmatch(header) else None


async def stream_events(
    queries: Queries, centre: str | None, last_version: int | None, sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Yield `hello`, then every change; `ping` when nothing changes for PING_INTERVAL_S."""
    network = await run_in_threadpool(queries.network)
    if last_version is not None and last_version > network.snapshot.version:
        last_version = None
    yield _snapshot_event(network, centre, last_version)
    sent, quiet_s = _initial_sent(network, centre, last_version), 0.0
    while True:
        changes = await run_in_threadpool(_poll, queries, sent, centre)
        for event in changes:
            yield event
        quiet_s = 0.0 if changes else quiet_s + POLL_INTERVAL_S
        if quiet_s >= PING_INTERVAL_S:
            quiet_s = 0.0
            yield ServerSentEvent(event="ping", id=str(sent.version), data={"revision": sent.version})
        await sleep(POLL_INTERVAL_S)


def _poll(queries: Queries, sent: _Sent, centre: str | None) -> list[ServerSentEvent]:
    try:
        return list(_change_events(queries.network(), sent, centre))
    except MotcuaError:
        return []


def _check_centre(queries: QueriesDep, centre: str | None = None) -> str | None:
    """Raise NotFound before the stream begins: afterwards no problem can be returned."""
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
    async for event in stream_events(queries, centre, parse_last_event_id(last_event_id), asyncio.sleep):
        yield event
