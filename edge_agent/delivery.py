"""What to send when: frames in flight, resending until a receipt, deferral. Pure: it is told the time.

The agent asks for the next rows, reports what happened to frames, and forgets only what a receipt
names.  All state is lost with the process: rows without a receipt are then sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_IN_FLIGHT = 8
"""Frames the broker has not answered yet."""
MAX_WAITING = 64
"""Frames without a receipt; bounds what one device may have inside the broker."""
ROWS_PER_FRAME = 60
RESEND_CAP_MS = 600_000
DEFER_MS = 900_000
"""A deferred row waits at least this long: a roll-out or an upgrade does not happen within minutes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient delivery is."""

    resend_ms: int = 20_000
    rows_per_frame: int = ROWS_PER_FRAME
    in_flight: int = MAX_IN_FLIGHT
    waiting: int = MAX_WAITING
    defer_ms: int = DEFER_MS


@dataclass(slots=True)
class _Frame:
    rows: set[int]
    due: int
    tries: int
    mid: int | None = None


@dataclass(slots=True)
class Delivery:
    """One outbox's way to the broker. Times are ms of a monotonic clock."""

    pace: Pace = field(default_factory=Pace)
    cursor: int = 0
    """The highest row number handed out for sending."""
    _frames: list[_Frame] = field(default_factory=list)
    _deferred: dict[int, tuple[int, int]] = field(default_factory=dict)

    def may_send(self) -> bool:
        """Tell whether another frame fits into the windows."""
        return self._in_flight() < self.pace.in_flight and len(self._frames) < self.pace.waiting

    def _in_flight(self) -> int:
        return sum(frame.mid is not None for frame in self._frames)

    def overdue(self, now: int) -> list[int]:
        """Return the rows of one frame whose time has come again, else deferred rows that are due."""
        if self._in_flight() >= self.pace.in_flight:
            return []
        for frame in self._frames:
            if frame.due <= now:
                return sorted(frame.rows)[: self.pace.rows_per_frame]
        ripe = [n for n, (due, _) in self._deferred.items() if due <= now]
        return sorted(ripe)[: self.pace.rows_per_frame]

    def sent(self, rows: list[int], mid: int | None, now: int, chance: float) -> None:
        """Remember that rows went out as message `mid` (None: the link was gone); `chance` in [0, 1) is jitter."""
        wanted = set(rows)
        tries = self._tries(wanted)
        for frame in self._frames:
            frame.rows -= wanted
        self._frames = [frame for frame in self._frames if frame.rows]
        if wanted:
            wait = min(self.pace.resend_ms * 2**tries, RESEND_CAP_MS)
            self._frames.append(_Frame(wanted, now + int(wait * (1 + chance / 4)), tries + 1, mid))
            self.cursor = max(self.cursor, *wanted)

    def _tries(self, rows: set[int]) -> int:
        tries = max((frame.tries for frame in self._frames if frame.rows & rows), default=0)
        for n in rows:
            tries = max(tries, self._deferred.pop(n, (0, 0))[1])
        return min(tries, 16)

    def answered(self, mid: int, now: int, *, refused: bool) -> None:
        """Note the broker's answer; a refused frame stays and is tried again later."""
        for frame in self._frames:
            if frame.mid == mid:
                frame.mid = None
                if refused:
                    frame.due = max(frame.due, now + self.pace.resend_ms)

    def unlinked(self, now: int) -> None:
        """Send again at once what the broker had not answered when the link broke."""
        for frame in self._frames:
            if frame.mid is not None:
                frame.mid, frame.due = None, now

    def settled(self, ranges: list[tuple[int, int]]) -> None:
        """Forget rows a receipt has named, given as closed ranges."""
        for frame in self._frames:
            frame.rows = {n for n in frame.rows if not any(low <= n <= high for low, high in ranges)}
        self._frames = [frame for frame in self._frames if frame.rows]
        gone = [n for n in self._deferred if any(low <= n <= high for low, high in ranges)]
        for n in gone:
            del self._deferred[n]

    def deferred(self, rows: list[int], now: int, chance: float) -> None:
        """Put rows off for at least 15 min, longer at every refusal."""
        for n in rows:
            tries = self._tries({n})
            wait = min(self.pace.defer_ms * 2 ** max(tries - 1, 0), 4 * self.pace.defer_ms)
            self.settled([(n, n)])
            self._deferred[n] = (now + int(wait * (1 + chance / 4)), tries)

    def next_due(self) -> int | None:
        """Return when something must be sent again, or None."""
        dues = [frame.due for frame in self._frames] + [due for due, _ in self._deferred.values()]
        return min(dues, default=None)
