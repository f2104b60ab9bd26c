"""Remembers of each unit what was read of its day, so that a live row reads no raw event again; it is only a cache.

Whoever reads raw events of a unit because they changed tells it.  A restart, or a doubt, reads the day again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.fold.relevance import pertinent
from telemetry.core.fold.sourced_event import Said
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.store import Store, Stored

Name = tuple[str, str, int]


@dataclass(slots=True)
class _Unit:
    """What is remembered by the event's name, as of `at`; events from before `start` are not."""

    at: int
    start: int
    said: dict[Name, Said]


class Remembered:
    """The events of each unit's present day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._units: dict[str, _Unit] = {}

    def heard(self, unit: str, said: Iterable[Said]) -> None:
        """Take what was read of a unit; an event that has moved makes its day be read again."""
        known = self._units.get(unit)
        if known is None:
            return
        fresh = {_name(s): s for s in said if s.event.t >= known.start}
        if any(name in known.said and known.said[name].event.t != s.event.t for name, s in fresh.items()):
            del self._units[unit]
        else:
            known.said.update(fresh)

    def said(self, unit: str, moment: int, day: int) -> list[Said]:
        """Return what tells about `moment` of a unit whose local day began at `day` (Unix ms), by t."""
        start = day - ev.MAX_GRACE_MS
        known = self._units.get(unit)
        if known is None or moment < known.at or start < known.start:
            window = Window(max(start, 0), moment + DAY)
            known = _Unit(moment, start, {_name(s): s for s in map(said_of, self._store.events(unit, window))})
        left = pertinent(known.said.values(), moment, start)
        self._units[unit] = _Unit(moment, start, {_name(s): s for s in left})
        return left

    def keep(self, units: Iterable[str]) -> None:
        """Forget every unit but these."""
        wanted = set(units)
        self._units = {unit: known for unit, known in self._units.items() if unit in wanted}


def said_of(stored: Stored) -> Said:
    """Return what the fold needs of a stored event."""
    return Said(stored.device, stored.spool, stored.event)


def _name(s: Said) -> Name:
    return s.device, s.spool, s.event.n
