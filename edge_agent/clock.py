"""What an agent knows of its clock: synchronised or not, stepped or not, and how to right a wrong capture time.

Three clocks meet here: the wall (Unix ms, may be wrong and may step), the monotonic one (ms since the boot), and
the kernel's word on synchronisation.  All are passed in; nothing here reads a clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIEST_VALID_MS = 1_735_689_600_000
"""2025-01-01: a clock that shows less has not been set; no agent is older than that."""
STEP_THRESHOLD_MS = 500
"""A larger difference between what wall and monotonic clock went on since the last look is a step."""
SKEW_TOLERANCE_MS = 5_000
"""A time up to this far after the row was kept may still come from this device's clock."""
HOLD_MS = 120_000
RECONNECT_HOLD_MS = 20_000
"""How long rows wait once the network is back after more than the hold: a time server answers within seconds."""
EVENT_TIME_FIELDS = ("entered", "called", "started")
"""Fields beside `t` that hold a time of the same clock."""


@dataclass(frozen=True, slots=True)
class ClockSync:
    """The kernel's word: whether the clock is disciplined, and its largest possible error, ms."""

    synced: bool
    error_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ClockStamp:
    """When a row was kept by both clocks, ms, in which boot, and whether the wall clock was still to be doubted."""

    wall: int
    mono: int
    boot: str
    time_unsure: bool = False


class ClockWatch:
    """Follows one machine's clock. `stamp` may be called by any thread, the rest by one."""

    def __init__(
        self, wall: Callable[[], int], mono: Callable[[], int], read_sync: Callable[[], ClockSync], boot: str,
        hold_ms: int = HOLD_MS,
    ) -> None:  # fmt: skip
        """Take the clocks; `mono` counts from the boot that `boot` names, `hold_ms` is how long rows may wait."""
        self._wall, self._mono, self._read_sync = wall, mono, read_sync
        self.boot = boot
        self._hold_ms = hold_ms
        self._hold_until = hold_ms
        self._offset = wall() - mono()
        self._disconnected_since: int | None = mono()
        self.sync = ClockSync(synced=False)
        self.last_step_ms = 0
        self.trusted = False
        """Whether the clock was synchronised once in this boot: from then on it only drifts."""
        self.poll()

    def poll(self) -> int | None:
        """Ask the kernel again; returns by how much the wall clock was set since the last look, None when not."""
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
        """Return wall − monotonic as last looked at, ms."""
        return self._offset

    def on_connected(self) -> None:
        """Note a connection: after long loneliness the time server is given a chance before rows go out."""
        now = self._mono()
        if self._disconnected_since is not None and now - self._disconnected_since >= self._hold_ms:
            self._hold_until = max(self._hold_until, now + min(self._hold_ms, RECONNECT_HOLD_MS))
        self._disconnected_since = None

    def on_disconnected(self) -> None:
        """Note that the network may be gone."""
        if self._disconnected_since is None:
            self._disconnected_since = self._mono()

    def hold_remaining_ms(self) -> int:
        """Return how much longer doubtful rows wait, ms; 0 when they may go."""
        return 0 if self.trusted else max(0, self._hold_until - self._mono())


def repair_event_times(body: bytes, stamp: ClockStamp, offset: int) -> bytes:
    """Return the event with the times its wrong clock gave put right: wall = offset + monotonic.

    Only times between the boot and the row's keeping (as that clock saw them) are its own; others, such as the
    lines of an older file, stay.  An event that would still have happened after it was kept, because the program
    that told it had a clock that ran ahead, happened when it was kept.  A body that is no event stays as it is.
    """
    old_offset = stamp.wall - stamp.mono
    try:
        event = codec.decode_event(body)
    except msgspec.MsgspecError:
        return body
    latest = stamp.wall + SKEW_TOLERANCE_MS
    names = [name for name in ("t", *EVENT_TIME_FIELDS) if old_offset <= (getattr(event, name, None) or -1) <= latest]
    repaired = {name: max(0, getattr(event, name) + offset - old_offset) for name in names if offset != old_offset}
    repaired_t = stamp.mono + offset
    if repaired.get("t", event.t) > repaired_t + SKEW_TOLERANCE_MS:
        repaired["t"] = repaired_t
    return codec.encode_event(msgspec.structs.replace(event, **repaired)) if repaired else body
