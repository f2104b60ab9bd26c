"""Decides what to send when: live rows, backlog, frames in flight, resending, deferral. Pure: time is an argument.

The agent requests the next rows, reports what happened to frames, and removes only rows that a receipt names.  All
state is lost with the process: rows without a receipt are then sent again.  Rows appended while connected are live and
are sent first; earlier rows are backlog, drained class by class, oldest first, at a limited rate.
Memory is bounded by the windows and by the gaps between deferred rows, never by the number of rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.deferral import DEFER_MS, Deferral
from telemetry.core.figures import completeness

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_IN_FLIGHT = 8
"""Most frames without a PUBACK."""
MAX_UNRECEIPTED = 64
"""Most frames without a receipt; limits what one device may have in the broker."""
ROWS_PER_FRAME = 60
RESEND_CAP_MS = 600_000
DRAIN_ROWS_PER_S = 20_000
DRAIN_START_MS = 2_000
DRAIN_ORDER = (2, 1, 0)
"""The order in which the backlog's classes are sent: vital rows, events, samples."""
LIVE_RESERVE_DIVISOR = 4
"""One in this many places of either window is reserved for live rows."""
MAX_BACKLOG_RANGES = 64


@dataclass(frozen=True, slots=True)
class DeliveryPace:
    """How long delivery waits before it resends, and how fast it sends a backlog."""

    resend_ms: int = 20_000
    rows_per_frame: int = ROWS_PER_FRAME
    max_in_flight: int = MAX_IN_FLIGHT
    max_unreceipted: int = MAX_UNRECEIPTED
    defer_ms: int = DEFER_MS
    drain_rows_per_s: int = DRAIN_ROWS_PER_S
    drain_start_ms: int = DRAIN_START_MS
    """After a connection the first frame is sent at once, the rest after a random part of this time."""


@dataclass(slots=True)
class _UnreceiptedFrame:
    rows: set[int]
    due: int
    attempts: int
    mid: int | None
    low: int
    high: int
    """The lowest and highest row when it was sent; rows are only ever removed."""


@dataclass(frozen=True, slots=True)
class BacklogRequest:
    """Rows to fetch for a backlog's next frame: of class `cls`, numbered in (after, to], at most `limit`."""

    cls: int
    after: int
    to: int
    limit: int


@dataclass(slots=True)
class Delivery:
    """The sending state of one outbox. Times are ms of a monotonic clock."""

    pace: DeliveryPace = field(default_factory=DeliveryPace)
    cursor: int = 0
    """The highest row number that was sent as live or assigned to the backlog."""
    _frames: list[_UnreceiptedFrame] = field(default_factory=list)
    _in_flight: dict[int, _UnreceiptedFrame] = field(default_factory=dict)
    _backlog: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _deferral: Deferral = field(default_factory=Deferral)
    _earlier: completeness.ClosedRanges = ()
    """Rows that an earlier process handed out and that had no receipt when it ended."""
    _tokens: float = 0.0
    _refilled_at: int = 0

    def may_send(self) -> bool:
        """Return whether another frame fits into the windows."""
        return len(self._in_flight) < self.pace.max_in_flight and len(self._frames) < self.pace.max_unreceipted

    def on_connected(self, now: int, highest: int, chance: float) -> None:
        """Start a new connection: rows not sent yet become backlog, which starts after a random delay."""
        self.add_backlog(highest)
        self._tokens = float(self.pace.rows_per_frame)
        self._refilled_at = now + int(chance * self.pace.drain_start_ms)

    def add_backlog(self, highest: int) -> None:
        """Assign all rows up to `highest` that were not sent yet to the backlog."""
        if highest <= self.cursor:
            return
        for cls in DRAIN_ORDER:
            lane = self._backlog.setdefault(cls, [])
            lane.append((self.cursor, highest))
            if len(lane) > MAX_BACKLOG_RANGES or (len(lane) > 1 and lane[-2][1] >= lane[-1][0]):
                lane[-2:] = [(lane[-2][0], highest)]
        self.cursor = highest

    def next_backlog_request(self, now: int) -> BacklogRequest | None:
        """Return which rows of the backlog may be sent now."""
        if not self.may_drain() or self.drain_due_at(now) != now:
            return None
        cls, lane = next((cls, lane) for cls, lane in self._backlog.items() if lane)
        return BacklogRequest(cls, *lane[0], self.pace.rows_per_frame)

    def advance_backlog(self, request: BacklogRequest, upto: int | None) -> None:
        """Record that the requested rows were sent up to number `upto`; None: there are no more."""
        lane = self._backlog[request.cls]
        if upto is None or upto >= request.to:
            lane.pop(0)
        else:
            lane[0] = (upto, request.to)

    def may_drain(self) -> bool:
        """Return whether a frame of the backlog fits, with places reserved for live rows."""
        in_flight_limit = self.pace.max_in_flight - max(1, self.pace.max_in_flight // LIVE_RESERVE_DIVISOR)
        unreceipted_limit = self.pace.max_unreceipted - max(1, self.pace.max_unreceipted // LIVE_RESERVE_DIVISOR)
        return len(self._in_flight) < max(1, in_flight_limit) and len(self._frames) < max(1, unreceipted_limit)

    def drain_due_at(self, now: int) -> int | None:
        """Return when the rate limit allows the backlog's next frame; None without a backlog."""
        if not any(self._backlog.values()):
            return None
        hold_until = self._deferral.hold_until(now)
        if hold_until > now:
            return hold_until
        self._refill_tokens(now)
        missing_tokens = self.pace.rows_per_frame - self._tokens
        if missing_tokens <= 0:
            return now
        return max(now, self._refilled_at) + 1 + int(missing_tokens * 1000 / self.pace.drain_rows_per_s)

    def _refill_tokens(self, now: int) -> None:
        if now > self._refilled_at:
            gained = (now - self._refilled_at) * self.pace.drain_rows_per_s / 1000
            capacity = max(self.pace.rows_per_frame, self.pace.drain_rows_per_s / 10)
            self._tokens, self._refilled_at = min(capacity, self._tokens + gained), now

    def consume_tokens(self, rows: int) -> None:
        """Record that this many rows of the backlog were sent."""
        self._tokens -= rows

    def due_resends(self, now: int) -> list[int]:
        """Return the rows of one frame that is due for a resend, else deferred rows that are due."""
        if len(self._in_flight) >= self.pace.max_in_flight:
            return []
        for frame in self._frames:
            if frame.due <= now:
                return sorted(frame.rows)[: self.pace.rows_per_frame]
        return self._deferral.due_rows(now, self.pace.rows_per_frame) if self.may_drain() else []

    def record_sent(self, rows: list[int], mid: int | None, now: int, chance: float) -> None:
        """Record that rows were sent; `chance` in [0, 1) is jitter.

        `mid` is the message that a PUBACK will name; None: the link was lost, or the broker acknowledges nothing.
        """
        numbers = set(rows)
        if not numbers:
            return
        attempts = self._remove_rows(numbers)
        wait = min(self.pace.resend_ms * 2**attempts, RESEND_CAP_MS)
        due = now + int(wait * (1 + chance / 4))
        frame = _UnreceiptedFrame(numbers, due, attempts + 1, mid, min(numbers), max(numbers))
        self._frames.append(frame)
        if mid is not None:
            self._in_flight[mid] = frame

    def record_live_sent(self, upto: int) -> None:
        """Record that live rows up to this number were sent."""
        self.cursor = max(self.cursor, upto)

    def _remove_rows(self, rows: set[int]) -> int:
        """Remove rows from their frames and deferrals; returns the number of attempts so far."""
        attempts = 0
        for frame in self._frames:
            if not frame.rows.isdisjoint(rows):
                attempts = max(attempts, frame.attempts)
                frame.rows -= rows
        self._drop_empty_frames()
        return min(max(attempts, self._deferral.remove(rows)), 16)

    def _drop_empty_frames(self) -> None:
        if all(frame.rows for frame in self._frames):
            return
        for frame in self._frames:
            if not frame.rows and frame.mid is not None:
                self._in_flight.pop(frame.mid, None)
        self._frames = [frame for frame in self._frames if frame.rows]

    def on_puback(self, mid: int, now: int, *, refused: bool, retry_in_ms: int | None = None) -> bool:
        """Record the broker's answer; a refused frame is sent again later. Returns whether `mid` was a frame.

        `retry_in_ms` replaces the usual wait of a refused frame that will be sent in smaller ones.
        """
        frame = self._in_flight.pop(mid, None)
        if frame is None:
            return False
        frame.mid = None
        if refused:
            usual = max(frame.due, now + self.pace.resend_ms)
            frame.due = usual if retry_in_ms is None else now + retry_in_ms
        return True

    def rows_in_flight(self, mid: int) -> list[int]:
        """Return the rows of a frame that has no PUBACK yet."""
        frame = self._in_flight.get(mid)
        return sorted(frame.rows) if frame else []

    def forget(self, rows: set[int]) -> None:
        """Remove rows that are no longer in the outbox."""
        self._remove_rows(rows)

    def make_due(self, rows: list[int], now: int) -> None:
        """Send rows again that an earlier connection could not carry."""
        self._deferral.defer(rows, now, 0, device_wide=False)

    def on_disconnected(self, now: int) -> None:
        """Make frames that the broker had not answered due at once."""
        for frame in self._in_flight.values():
            frame.mid, frame.due = None, now
        self._in_flight = {}

    def retry_now(self, now: int) -> None:
        """Make all rows due now."""
        for frame in self._frames:
            if frame.mid is None:
                frame.due = min(frame.due, now)
        self._deferral.retry_now(now)
        self._tokens, self._refilled_at = max(self._tokens, float(self.pace.rows_per_frame)), now

    def waiting_rows(self, ranges: completeness.ClosedRanges) -> completeness.ClosedRanges:
        """Return which of these rows (disjoint ranges, in order) were handed out and wait for a receipt."""
        starts, ends = [low for low, _ in ranges], [high for _, high in ranges]
        in_frames: list[tuple[int, int]] = []
        for frame in self._frames:
            first, end = bisect_left(ends, frame.low), bisect_right(starts, frame.high)
            if first >= end:
                continue
            if starts[first] <= frame.low and frame.high <= ends[first]:
                in_frames += completeness.ranges_of(frame.rows)
            else:
                named = (n for n in frame.rows if (i := bisect_right(starts, n)) and n <= ends[i - 1])
                in_frames += completeness.ranges_of(named)
        deferred = completeness.intersect_ranges(self._deferral.waiting_rows(), ranges)
        return completeness.union_ranges(in_frames, deferred, completeness.intersect_ranges(self._earlier, ranges))

    def handed_out(self) -> completeness.ClosedRanges:
        """Return all rows that were handed out and wait for a receipt."""
        frames = [completeness.ranges_of(frame.rows) for frame in self._frames]
        return completeness.union_ranges(*frames, self._deferral.waiting_rows(), self._earlier)

    def restore_handed_out(self, ranges: completeness.ClosedRanges) -> None:
        """Take receipts for rows that an earlier process handed out, too."""
        self._earlier = ranges

    def on_receipt(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Remove rows that were stored or refused, given as closed ranges."""
        for frame in self._frames:
            hits = [r for r in ranges if r[0] <= frame.high and r[1] >= frame.low]
            if any(a <= frame.low and frame.high <= b for a, b in hits):
                frame.rows = set()
            elif hits:
                frame.rows = {n for n in frame.rows if not any(a <= n <= b for a, b in hits)}
        self._drop_empty_frames()
        self._deferral.discard(list(ranges))
        if self._earlier:
            self._earlier = completeness.subtract_ranges(self._earlier, tuple(ranges))

    def on_accepted(self, now: int) -> None:
        """Record that ingest accepts this device: rows deferred for a device-wide reason become due at once."""
        self._deferral.retry_now(now, only_device_wide=True)

    def defer(self, rows: list[int], now: int, chance: float, *, device_wide: bool = False) -> None:
        """Defer rows for at least 15 min, longer after every refusal.

        `device_wide`: the reason applies to every row of this device, so a long backlog waits too.
        """
        by_attempts: dict[int, list[int]] = {}
        for n in rows:
            by_attempts.setdefault(self._remove_rows({n}), []).append(n)
        for attempts, numbers in by_attempts.items():
            wait = min(self.pace.defer_ms * 2 ** max(attempts - 1, 0), 4 * self.pace.defer_ms)
            self._deferral.defer(numbers, now + int(wait * (1 + chance / 4)), attempts, device_wide=device_wide)

    @property
    def unreceipted_frames(self) -> int:
        """Return how many frames wait for a receipt."""
        return len(self._frames)

    def next_due(self) -> int | None:
        """Return when something must be resent, None when no row is due or the window is full."""
        if len(self._in_flight) >= self.pace.max_in_flight:
            return None
        dues = [frame.due for frame in self._frames]
        if self.may_drain() and (deferred := self._deferral.next_due()) is not None:
            dues.append(deferred)
        return min(dues, default=None)
