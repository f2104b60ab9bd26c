"""What of a day's events still tells something about the present, and what may be forgotten of it. Pure.

A live row made from what is left equals the one made from everything; it must not judge what the events mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from telemetry.core.fold.sourced_event import Said


def pertinent(said: Iterable[Said], moment: int, start: int) -> list[Said]:
    """Return what tells something about `moment`, of events since `start` (Unix ms), by t.

    That is: what is young enough to be believed, every ticket, and of anything older the last word of its kind.
    Forgetting twice, or before more is heard, forgets the same.
    """
    young = moment - ev.MAX_GRACE_MS
    kept: list[Said] = []
    last: dict[Hashable, Said] = {}
    for s in sorted((s for s in said if s.event.t >= start), key=_place):
        if s.event.t >= young or getattr(s.event, "service", None) is not None:
            kept.append(s)
        else:
            last.update((kind, s) for kind in _kinds(s))
    words = {_name(s): s for s in last.values()}
    return sorted((*kept, *words.values()), key=_place)


def _place(s: Said) -> tuple[int, str, str, int]:
    return s.event.t, s.device, s.spool, s.event.n


def _name(s: Said) -> tuple[str, str, int]:
    return s.device, s.spool, s.event.n


def _kinds(s: Said) -> Iterator[Hashable]:
    """Yield everything this may be the last word on."""
    event = s.event
    yield s.device, type(event), getattr(event, "online", None)
    if getattr(event, "mode", None) is not None:
        yield "mode"
    if getattr(event, "simulated", False):
        yield "simulated"
