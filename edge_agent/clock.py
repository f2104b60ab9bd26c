"""State of an agent's clock: synchronised or not, stepped or not, and how to repair a wrong capture time.

It compares the wall clock (Unix ms, may be wrong and may step) with the monotonic clock (ms since the boot) and the
kernel's synchronisation state.  All are passed in; nothing here reads a clock itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIEST_VALID_MS = 1_735_689_600_000
"""2025-01-01: a clock that shows an earlier time has not been set; no agent is older."""
STEP_THRESHOLD_MS = 500
"""A larger difference between the advance of wall and monotonic clock since the last poll is a step."""
SKEW_TOLERANCE_MS = 5_000
"""A time up to this far after the row was appended may still be from this device's clock."""
HOLD_MS = 120_000
RECONNECT_HOLD_MS = 20_000
"""How long rows wait after a reconnection that follows a gap longer than the hold; a time server answers sooner."""
EVENT_TIME_FIELDS = ("entered", "called", "started")
"""Fields beside `t` that hold a time of the same clock."""


@dataclass(frozen=True, slots=True)
class ClockSync:
    """The kernel's report: whether the clock is synchronised, and its largest possible error, ms."""

    synced: bool
    error_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ClockStamp:
    """When a row was appended by both clocks, ms, in which boot, and whether the wall clock was still unsure."""

    wall: int
    mono: int
    boot: str
    time_unsure: bool = False


class ClockWatch:
    """Monitors one machine's clock. Any thread may call `stamp`, one thread the rest."""

    def __init__(
        self, wall: Callable[[], int], mono: Callable[[], int], read_sync: Callable[[], ClockSync], boot: str,
        hold_ms: int = HOLD_MS,
    ) -> None:  # fmt: skip
        """`mono` counts from the boot named by `boot`; `hold_ms` is how long rows with unsure times may wait."""
        self._wall, self._mono, self._read_sync = wall, mono, read_sync
        self.boot = boot
        self._hold_ms = hold_ms
        self._hold_until = hold_ms
        self._offset = wall() - mono()
        self._disconnected_since: int | None = mono()
        self.sync = ClockSync(synced=False)
        self.last_step_ms = 0
        self.trusted = False
        """Whether the clock was synchronised at least once in this boot: from then on it only drifts."""
        self.poll()

    def poll(self) -> int | None:
        """Read the clocks again; returns by how many ms the wall clock was set since the last poll, None when not."""
        wall, mono = self._wall(), self._mono()
        kernel_sync = self._read_sync()
        self.sync = ClockSync(kernel_sync.synced and wall >= EARLIEST_VALID_MS, kernel_sync.error_ms)
        self.trusted = self.trusted or self.sync.synced
        step, self._offset = wall - mono - self._offset, wall - mono
        if abs(step) <= STEP_THRESHOLD_MS:
            return None
        self.last_step_ms = step
        return step

    def stamp(self) -> ClockStamp:
        """Return both clocks now."""
        return ClockStamp(self._wall(), self._mono(), self.boot, time_unsure=not self.trusted)

    @property
    def offset(self) -> int:
        """Return wall − monotonic at the last poll, ms."""
        return self._offset

    def on_connected(self) -> None:
        """Record a connection: after a long gap, rows wait so that the time server can be reached first."""
        now = self._mono()
        if self._disconnected_since is not None and now - self._disconnected_since >= self._hold_ms:
            self._hold_until = max(self._hold_until, now + min(self._hold_ms, RECONNECT_HOLD_MS))
        self._disconnected_since = None

    def on_disconnected(self) -> None:
        """Record that the network may be down."""
        if self._disconnected_since is None:
            self._disconnected_since = self._mono()

    def hold_remaining_ms(self) -> int:
        """Return how much longer rows with unsure times wait, ms; 0 when they may be sent."""
        return 0 if self.trusted else max(0, self._hold_until - self._mono())


def repair_event_times(body: bytes, stamp: ClockStamp, offset: int) -> bytes:
    """Return the event with the times of its wrong clock repaired: wall = offset + monotonic.

    Only times between the boot and the append (by that clock) are from it; others, such as lines of an older file,
    are unchanged.  An event that would still be later than its append, because the program that sent it had a fast
    clock, gets the time of the append.  A body that is not an event is returned unchanged.
    """
    old_offset = stamp.wall - stamp.mono
    try:
        event = codec.decode_event(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return body
    latest = stamp.wall + SKEW_TOLERANCE_MS
    names = [name for name in ("t", *EVENT_TIME_FIELDS) if old_offset <= (getattr(event, name, None) or -1) <= latest]
    repaired = {name: max(0, getattr(event, name) + offset - old_offset) for name in names if offset != old_offset}
    repaired_t = stamp.mono + offset
    if repaired.get("t", event.t) > repaired_t + SKEW_TOLERANCE_MS:
        repaired["t"] = repaired_t
    return codec.encode_event(msgspec.structs.replace(event, **repaired)) if repaired else body
