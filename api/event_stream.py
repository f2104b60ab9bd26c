"""The stream of live changes, told from versioned rows; a client that comes back gets what is newer than it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from api.times import rfc3339, rfc3339_or_none
from telemetry.errors import MotcuaError
from telemetry.queries import count_states

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from telemetry.queries import CentreView, NetworkView, Queries

POLL_INTERVAL_S = 2.0
"""At most one message a centre in this time."""
PING_INTERVAL_S = 15.0


@dataclass(slots=True)
class _Sent:
    version: int
    states: dict[str, object]
    queues: dict[str, object]


def centre_state_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's condition as told in the stream."""
    return {
        "centre": view.centre.id,
        "condition": view.condition,
        "open": view.open,
        "counters_open": view.counters_open,
        "devices": count_states(view.devices),
        "last_data": rfc3339_or_none(view.last_data, view.centre.zone),
    }


def queue_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's queues as told in the stream."""
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
    """Leave out what moves with every heartbeat."""
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
    """A newcomer has been told all by hello; one who comes back may have missed anything newer than `last`."""
    if last_version is not None:
        return _Sent(last_version, {}, {})
    views = {v.centre.id: v for v in _changed_views(network, -1, centre)}
    states = {ident: _without_volatile(centre_state_data(v)) for ident, v in views.items()}
    return _Sent(network.snapshot.version, dict(states), {ident: queue_data(v) for ident, v in views.items()})


async def stream_events(
    queries: Queries, centre: str | None, last_version: int | None, sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Say hello, then tell every change; a quiet line is pinged."""
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
