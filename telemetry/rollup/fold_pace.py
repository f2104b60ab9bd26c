"""How long a part of a unit's hours is folded at once, and when a slow unit rests; it must not fold or store anything.

A pass looks at its time after each part, so a part must be short for any unit: its length follows from how long the
unit's last parts took.  A unit whose turn takes long rests after it, so that the others have most of rollup's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_PART_MS, FIRST_PART_MS, LONGEST_PART_MS = HOUR, 3 * HOUR, DAY
"""The first part covers what one event may change; a unit that was never folded here may be of any size."""
SLOW_PART_S, FAST_PART_S = 0.4, 0.1
"""After a part that took longer the unit's next parts are half as long, after a faster one twice."""
SLOW_TURN_S = 1.0
"""A unit whose recent hours take longer than this in one turn rests before they are folded on."""
REST_PER_TURN = 4
"""How many times as long as its turn a slow unit rests: it takes a fifth of rollup's time at most."""


class FoldPace:
    """The pace of every unit that is not folded in whole days, and the rests. Stopwatch times are seconds."""

    def __init__(self) -> None:
        self._part_ms: dict[str, int] = {}
        self._resting_until: dict[str, float] = {}
        self._turn_of, self._turn_s = "", 0.0

    def part_ms(self, entity: str) -> int:
        """Return how many milliseconds of an entity, in whole hours, are folded at once."""
        return self._part_ms.get(entity, FIRST_PART_MS)

    def parts(self, entity: str, window: Window) -> Iterator[Window]:
        """Cut whole hours into parts, each by the pace after the one before it."""
        start = window.start
        while start < window.end:
            end = min(start + self.part_ms(entity), window.end)
            yield Window(start, end)
            start = end

    def record_part(self, entity: str, window: Window, took: float) -> None:
        """Record how long a part took, s."""
        length = self.part_ms(entity)
        if took > SLOW_PART_S:
            shorter = min(length, window.length) // (2 * HOUR) * HOUR
            self._part_ms[entity] = max(shorter, SHORTEST_PART_MS)
        elif took < FAST_PART_S and window.length >= length:
            self._part_ms[entity] = min(2 * length, LONGEST_PART_MS)

    def record_recent_part(self, entity: str, took: float, now: float) -> bool:
        """Add a part of recent hours to its unit's turn; returns whether the unit now rests."""
        self._turn_s = self._turn_s + took if entity == self._turn_of else took
        self._turn_of = entity
        if self._turn_s <= SLOW_TURN_S:
            return False
        self._resting_until[entity] = now + REST_PER_TURN * self._turn_s
        self._turn_of = ""
        return True

    def end_turns(self) -> None:
        """Begin a pass: no unit has had a turn in it."""
        self._turn_of = ""

    def resting(self, now: float) -> set[str]:
        """Return the units that rest at `now`."""
        self._resting_until = {entity: end for entity, end in self._resting_until.items() if end > now}
        return set(self._resting_until)

    def forget_except(self, entities: set[str]) -> None:
        """Forget the pace of every unit but these."""
        self._part_ms = {entity: length for entity, length in self._part_ms.items() if entity in entities}
