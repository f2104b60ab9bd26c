"""The stream of live changes, told from versioned rows; a client that comes back gets what is newer than it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from api.times import stamp, stamp_or_none
from telemetry.errors import MotcuaError
from telemetry.queries import tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from telemetry.queries import CentreView, Queries, World

EVERY_S = 2.0
"""At most one message a centre in this time."""
PING_S = 15.0


@dataclass(slots=True)
class _Told:
    version: int
    states: dict[str, object]
    queues: dict[str, object]


def state_of(view: CentreView) -> dict[str, Any]:
    """Return a centre's condition as told in the stream."""
    return {
        "centre": view.centre.id,
        "condition": view.condition,
        "open": view.open,
        "counters_open": view.counters_open,
        "devices": tally(view.devices),
        "last_data": stamp_or_none(view.last_data, view.centre.zone),
    }


def queue_of(view: CentreView) -> dict[str, Any]:
    """Return a centre's queues as told in the stream."""
    rows = [{"service": s.service, "waiting": s.waiting, "serving": s.serving} for s in view.services]
    return {"centre": view.centre.id, "waiting": view.waiting, "services": rows}


def _views(world: World, version: int, centre: str | None) -> list[CentreView]:
    chosen = [ident for ident in world.snapshot.after(version) if centre in (None, ident)]
    known = {v.centre.id: v for v in world.views()} if chosen else {}
    return [known[ident] for ident in chosen if ident in known]


def _changes(world: World, told: _Told, centre: str | None) -> Iterator[ServerSentEvent]:
    version = str(world.snapshot.version)
    for view in _views(world, told.version, centre):
        ident = view.centre.id
        for event, data, known in (
            ("centre.state", state_of(view), told.states),
            ("queue", queue_of(view), told.queues),
        ):
            what = _lasting(data)
            if known.get(ident) != what:
                known[ident] = what
                yield ServerSentEvent(event=event, id=version, data=data)
    told.version = world.snapshot.version


def _lasting(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what moves with every heartbeat."""
    return {name: value for name, value in data.items() if name != "last_data"}


def _hello(world: World, centre: str | None, last: int | None) -> ServerSentEvent:
    fresh = _views(world, -1, centre) if last is None else []
    data = {
        "revision": world.snapshot.version,
        "as_of": stamp(world.now, world.inventory.zone),
        "resumed": last is not None,
        "centres": [{**state_of(v), "waiting": v.waiting} for v in fresh],
    }
    return ServerSentEvent(event="hello", id=str(world.snapshot.version), data=data, retry=5000)


def _told(world: World, centre: str | None, last: int | None) -> _Told:
    """A newcomer has been told all by hello; one who comes back may have missed anything newer than `last`."""
    if last is not None:
        return _Told(last, {}, {})
    views = {v.centre.id: v for v in _views(world, -1, centre)}
    states = {ident: _lasting(state_of(v)) for ident, v in views.items()}
    return _Told(world.snapshot.version, dict(states), {ident: queue_of(v) for ident, v in views.items()})


async def stream(
    queries: Queries, centre: str | None, last: int | None, sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Say hello, then tell every change; a quiet line is pinged."""
    world = await run_in_threadpool(queries.world)
    if last is not None and last > world.snapshot.version:
        last = None
    yield _hello(world, centre, last)
    told, quiet = _told(world, centre, last), 0.0
    while True:
        changes = await run_in_threadpool(_look, queries, told, centre)
        for event in changes:
            yield event
        quiet = 0.0 if changes else quiet + EVERY_S
        if quiet >= PING_S:
            quiet = 0.0
            yield ServerSentEvent(event="ping", id=str(told.version), data={"revision": told.version})
        await sleep(EVERY_S)


def _look(queries: Queries, told: _Told, centre: str | None) -> list[ServerSentEvent]:
    try:
        return list(_changes(queries.world(), told, centre))
    except MotcuaError:
        return []
