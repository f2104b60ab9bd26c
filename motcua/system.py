"""Clocks, random numbers, ids and the kernel's clock state: the only module that reads them from the machine."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ulid import ULID

from edge_agent.clock import ClockSync, ClockWatch
from edge_agent.settings import Environment

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x40
_TIMEX_BYTES = 512


def wall_ms() -> int:
    """Return Unix time, ms."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Return the monotonic clock, ms."""
    return time.monotonic_ns() // 1_000_000


def since_boot_ms() -> int:
    """Return ms since the boot, including suspend; it never steps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def new_id() -> str:
    """Return a new ULID."""
    return str(ULID())


def boot_id() -> str:
    """Return the kernel's id of this boot, a new id where the kernel has none."""
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
    """A demo's clock: it starts at `start` and runs `speed` times as fast as real time."""

    start: int
    speed: float
    started_at: int

    def __call__(self) -> int:
        """Return the demo's Unix time, ms."""
        return self.start + int((monotonic_ms() - self.started_at) * self.speed)


def watch_clock(hold_ms: int) -> ClockWatch:
    """Return the watch of this machine's clock."""
    return ClockWatch(wall_ms, since_boot_ms, kernel_sync, boot_id(), hold_ms)


def agent_environment(wall: Callable[[], int] = wall_ms, clock: ClockWatch | None = None) -> Environment:
    """Return the environment of this process's agents."""
    return Environment(wall, monotonic_ms, random.random, new_id, clock, rss_bytes)
