"""What to send when: live rows, backlog, frames in flight, resending, deferral. Pure: it is told the time.

The agent asks for the next rows, reports what happened to frames, and forgets only what a receipt
names.  All state is lost with the process: rows without a receipt are then sent again.  Rows appended while the
link stands are live and go first; what was there before is backlog, drained class by class, oldest first, paced.
Memory is bounded by the windows and by the gaps between deferred rows, never by the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.deferral import DEFER_MS, Deferral

MAX_IN_FLIGHT = 8
"""Frames the broker has not answered yet."""
MAX_WAITING = 64
"""Frames without a receipt; bounds what one device may have inside the broker."""
ROWS_PER_FRAME = 60
RESEND_CAP_MS = 600_000
DRAIN_ROWS_PER_S = 20_000
DRAIN_START_MS = 2_000
CLASSES = (2, 1, 0)
"""The backlog's lanes in their order: vital rows, events, samples."""
LIVE_SHARE = 4
"""One in so many places of either window is kept for live rows."""
RANGES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient delivery is, and how fast a backlog goes out."""

    resend_ms: int = 20_000
    rows_per_frame: int = ROWS_PER_FRAME
    in_flight: int = MAX_IN_FLIGHT
    waiting: int = MAX_WAITING
    defer_ms: int = DEFER_MS
    drain_rows_per_s: int = DRAIN_ROWS_PER_S
    drain_start_ms: int = DRAIN_START_MS
    """After a connection the first frame goes at once, the rest after a random part of this."""


@dataclass(slots=True)
class _Frame:
    rows: set[int]
    due: int
    tries: int
    mid: int | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """Rows to fetch for a backlog's next frame: of class `cls`, numbered in (after, to], at most `limit`."""

    cls: int
    after: int
    to: int
    limit: int


@dataclass(slots=True)
class Delivery:
    """One outbox's way to the broker. Times are ms of a monotonic clock."""

    pace: Pace = field(default_factory=Pace)
    cursor: int = 0
    """The highest row number handed out for sending as live, or left to the backlog."""
    _frames: list[_Frame] = field(default_factory=list)
    _flying: dict[int, _Frame] = field(default_factory=dict)
    _lanes: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _deferral: Deferral = field(default_factory=Deferral)
    _tokens: float = 0.0
    _filled_at: int = 0

    def may_send(self) -> bool:
        """Tell whether another frame fits into the windows."""
        return len(self._flying) < self.pace.in_flight and len(self._frames) < self.pace.waiting

    def linked(self, now: int, highest: int, chance: float) -> None:
        """Begin with a new connection: what was not handed out yet is backlog, which starts after a random while."""
        self.fold(highest)
        self._tokens = float(self.pace.rows_per_frame)
        self._filled_at = now + int(chance * self.pace.drain_start_ms)

    def fold(self, highest: int) -> None:
        """Leave all rows up to `highest` that were not handed out to the backlog."""
        if highest <= self.cursor:
            return
        for cls in CLASSES:
            lane = self._lanes.setdefault(cls, [])
            lane.append((self.cursor, highest))
            if len(lane) > RANGES_KEPT or (len(lane) > 1 and lane[-2][1] >= lane[-1][0]):
                lane[-2:] = [(lane[-2][0], highest)]
        self.cursor = highest

    def next_drained(self, now: int) -> Want | None:
        """Return which rows of the backlog may go out now."""
        if not self.may_drain() or self.drain_due(now) != now:
            return None
        cls, lane = next((cls, lane) for cls, lane in self._lanes.items() if lane)
        return Want(cls, *lane[0], self.pace.rows_per_frame)

    def drained(self, want: Want, upto: int | None) -> None:
        """Note that the wanted rows were handed out up to number `upto`; None: there are no more."""
        lane = self._lanes[want.cls]
        if upto is None or upto >= want.to:
            lane.pop(0)
        else:
            lane[0] = (upto, want.to)

    def may_drain(self) -> bool:
        """Tell whether a frame of the backlog fits, with places kept for live rows."""
        flying = self.pace.in_flight - max(1, self.pace.in_flight // LIVE_SHARE)
        waiting = self.pace.waiting - max(1, self.pace.waiting // LIVE_SHARE)
        return len(self._flying) < max(1, flying) and len(self._frames) < max(1, waiting)

    def drain_due(self, now: int) -> int | None:
        """Return when the backlog's next frame may go, as far as its pace is concerned; None without a backlog."""
        if not any(self._lanes.values()):
            return None
        held = self._deferral.held_until(now)
        if held > now:
            return held
        self._fill(now)
        lacking = self.pace.rows_per_frame - self._tokens
        if lacking <= 0:
            return now
        return max(now, self._filled_at) + 1 + int(lacking * 1000 / self.pace.drain_rows_per_s)

    def _fill(self, now: int) -> None:
        if now > self._filled_at:
            gained = (now - self._filled_at) * self.pace.drain_rows_per_s / 1000
            room = max(self.pace.rows_per_frame, self.pace.drain_rows_per_s / 10)
            self._tokens, self._filled_at = min(room, self._tokens + gained), now

    def spent(self, rows: int) -> None:
        """Note that so many rows of the backlog went out."""
        self._tokens -= rows

    def overdue(self, now: int) -> list[int]:
        """Return the rows of one frame whose time has come again, else deferred rows that are due."""
        if len(self._flying) >= self.pace.in_flight:
            return []
        for frame in self._frames:
            if frame.due <= now:
                return sorted(frame.rows)[: self.pace.rows_per_frame]
        return self._deferral.ripe(now, self.pace.rows_per_frame) if self.may_drain() else []

    def sent(self, rows: list[int], mid: int | None, now: int, chance: float) -> None:
        """Remember that rows went out as message `mid` (None: the link was gone); `chance` in [0, 1) is jitter."""
        wanted = set(rows)
        if not wanted:
            return
        tries = self._taken(wanted)
        wait = min(self.pace.resend_ms * 2**tries, RESEND_CAP_MS)
        frame = _Frame(wanted, now + int(wait * (1 + chance / 4)), tries + 1, mid)
        self._frames.append(frame)
        if mid is not None:
            self._flying[mid] = frame

    def live_sent(self, upto: int) -> None:
        """Note that live rows up to this number were handed out."""
        self.cursor = max(self.cursor, upto)

    def _taken(self, rows: set[int]) -> int:
        """Take rows out of the frames and deferrals they are in; returns how often they were tried."""
        tries = 0
        for frame in self._frames:
            if not frame.rows.isdisjoint(rows):
                tries = max(tries, frame.tries)
                frame.rows -= rows
        self._sweep()
        return min(max(tries, self._deferral.taken(rows)), 16)

    def _sweep(self) -> None:
        if all(frame.rows for frame in self._frames):
            return
        for frame in self._frames:
            if not frame.rows and frame.mid is not None:
                self._flying.pop(frame.mid, None)
        self._frames = [frame for frame in self._frames if frame.rows]

    def answered(self, mid: int, now: int, *, refused: bool) -> bool:
        """Note the broker's answer; a refused frame stays and is tried again later. Tells whether it was a frame."""
        frame = self._flying.pop(mid, None)
        if frame is None:
            return False
        frame.mid = None
        if refused:
            frame.due = max(frame.due, now + self.pace.resend_ms)
        return True

    def unlinked(self, now: int) -> None:
        """Send again at once what the broker had not answered when the link broke."""
        for frame in self._flying.values():
            frame.mid, frame.due = None, now
        self._flying = {}

    def hurry(self, now: int) -> None:
        """Make everything due now, whatever it waits for."""
        for frame in self._frames:
            if frame.mid is None:
                frame.due = min(frame.due, now)
        self._deferral.hurry(now)
        self._tokens, self._filled_at = max(self._tokens, float(self.pace.rows_per_frame)), now

    def settled(self, ranges: list[tuple[int, int]]) -> None:
        """Forget rows a receipt has named, given as closed ranges."""
        for frame in self._frames:
            low, high = min(frame.rows), max(frame.rows)
            hits = [r for r in ranges if r[0] <= high and r[1] >= low]
            if any(a <= low and high <= b for a, b in hits):
                frame.rows = set()
            elif hits:
                frame.rows = {n for n in frame.rows if not any(a <= n <= b for a, b in hits)}
        self._sweep()
        self._deferral.settled(ranges)

    def welcomed(self, now: int) -> None:
        """Note that the ingest knows this device by now: what waited for that goes again at once."""
        self._deferral.hurry(now, only_alike=True)

    def deferred(self, rows: list[int], now: int, chance: float, *, all_alike: bool = False) -> None:
        """Put rows off for at least 15 min, longer at every refusal.

        `all_alike` says that the reason holds for every row of this device: a long backlog then waits too.
        """
        by_tries: dict[int, list[int]] = {}
        for n in rows:
            by_tries.setdefault(self._taken({n}), []).append(n)
        for tries, numbers in by_tries.items():
            wait = min(self.pace.defer_ms * 2 ** max(tries - 1, 0), 4 * self.pace.defer_ms)
            self._deferral.put_off(numbers, now + int(wait * (1 + chance / 4)), tries, all_alike=all_alike)

    @property
    def waiting(self) -> int:
        """Return how many frames wait for a receipt."""
        return len(self._frames)

    def next_due(self) -> int | None:
        """Return when something must be sent again, None when nothing must or no place is free."""
        if len(self._flying) >= self.pace.in_flight:
            return None
        dues = [frame.due for frame in self._frames]
        if self.may_drain() and (deferred := self._deferral.next_due()) is not None:
            dues.append(deferred)
        return min(dues, default=None)
