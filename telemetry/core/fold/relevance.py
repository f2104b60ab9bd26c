"""What of a day's events still tells something about the present, and what may be forgotten of it. Pure.

A live row made from what is left equals the one made from everything; it must not judge what the events mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from telemetry.core.fold.sourced_event import SourcedEvent


def relevant_events(events: Iterable[SourcedEvent], at: int, start: int) -> list[SourcedEvent]:
    """Return what tells something about `moment`, of events since `start` (Unix ms), by t.

    That is: what is young enough to be believed, every ticket, and of anything older the last word of its kind.
    Forgetting twice, or before more is heard, forgets the same.
    """
    recent_since = at - ev.MAX_GRACE_MS
    relevant: list[SourcedEvent] = []
    latest_by_kind: dict[Hashable, SourcedEvent] = {}
    for s in sorted((s for s in events if s.event.t >= start), key=_sort_key):
        if s.event.t >= recent_since or getattr(s.event, "service", None) is not None:
            relevant.append(s)
        else:
            latest_by_kind.update((kind, s) for kind in _state_kinds(s))
    latest_by_id = {_event_id(s): s for s in latest_by_kind.values()}
    return sorted((*relevant, *latest_by_id.values()), key=_sort_key)


def _sort_key(s: SourcedEvent) -> tuple[int, str, str, int]:
    return s.event.t, s.device, s.outbox_id, s.event.n


def _event_id(s: SourcedEvent) -> tuple[str, str, int]:
    return s.device, s.outbox_id, s.event.n


def _state_kinds(s: SourcedEvent) -> Iterator[Hashable]:
    """Yield everything this may be the last word on."""
    event = s.event
    yield s.device, type(event), getattr(event, "online", None)
    if getattr(event, "mode", None) is not None:
        yield "mode"
    if getattr(event, "simulated", False):
        yield "simulated"
