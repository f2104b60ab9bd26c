"""Clocks, chance, ids and the kernel's word on them: the one place that asks the machine."""

from __future__ import annotations

import random
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ulid import ULID

from edge_agent.clock import ClockSync, ClockWatch
from edge_agent.settings import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x40
_TIMEX_BYTES = 512


def wall_ms() -> int:
    """Return Unix time, ms."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Return a clock that never steps, ms."""
    return time.monotonic_ns() // 1_000_000


def since_boot_ms() -> int:
    """Return ms since the boot, sleep included; it never steps either."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def new_id() -> str:
    """Return a new ULID."""
    return str(ULID())


def boot_id() -> str:
    """Return the kernel's name of this boot, a new one where the kernel gives none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip() or new_id()
    except OSError:
        return new_id()


def kernel_sync() -> ClockSync:
    """Return whether the kernel's clock is synchronised (adjtimex without STA_UNSYNC), and its largest error."""
    import ctypes

    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    if ctypes.CDLL(None).adjtimex(buffer) < 0:
        return ClockSync(synced=False)
    _, _, _, largest_us, _, status = struct.unpack_from("@Illlli", buffer)
    return ClockSync(synced=not status & _STA_UNSYNC, error_ms=largest_us / 1000)


def rss_bytes() -> int:
    """Return this process's resident memory, bytes."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@dataclass(frozen=True, slots=True)
class DemoClock:
    """A demo's time: it starts at `start` and runs `speed` times as fast as ours."""

    start: int
    speed: float
    started_at: int

    def __call__(self) -> int:
        """Return the demo's Unix time, ms."""
        return self.start + int((monotonic_ms() - self.started_at) * self.speed)


def watch_clock(hold_ms: int) -> ClockWatch:
    """Return this machine's clock, followed."""
    return ClockWatch(wall_ms, since_boot_ms, kernel_sync, boot_id(), hold_ms)


def agent_environment(wall: Callable[[], int] = wall_ms, clock: ClockWatch | None = None) -> Environment:
    """Return what agents of this process may use."""
    return Environment(wall, monotonic_ms, random.random, new_id, clock, rss_bytes)
