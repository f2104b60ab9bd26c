"""Starts a role as `motcua` would, with shorter waits and a wall clock that a file may step; nothing else is changed.

Called as `launch.py CLOCKFILE WORDS…`.  CLOCKFILE holds the milliseconds to add to the wall clock, "" for none.
The waits bound how long a fault is felt, never what is kept; a round would else take minutes.
"""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path

RESEND_MS, RESEND_CAP_MS, DEFER_MS, LONGEST_WAIT_MS, KEEPALIVE_S = 700, 3_000, 1_000, 400, 3


def step_clock(file: Path) -> None:
    """Make this process read its wall clock through the file, as if the device's synchronised clock had been set."""
    real = time.time_ns

    def time_ns() -> int:
        text = file.read_text() if file.exists() else ""
        return real() + int(text or 0) * 1_000_000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
    from edge_agent.clock import ClockSync
    from motcua import system

    system.kernel_sync = lambda: ClockSync(synced=True, error_ms=1.0)


def hurry() -> None:
    """Shorten the waits before the modules that read them are imported."""
    from telemetry.core import backoff

    patient = backoff.full_jitter_ms

    def full_jitter(attempt: int, chance: float, first_ms: int = 100, cap_ms: int = LONGEST_WAIT_MS) -> int:
        return patient(attempt, chance, min(first_ms, 100), min(cap_ms, LONGEST_WAIT_MS))

    backoff.full_jitter_ms = full_jitter
    from edge_agent import delivery

    delivery.RESEND_CAP_MS = RESEND_CAP_MS
    delivery.DeliveryPace = functools.partial(delivery.DeliveryPace, resend_ms=RESEND_MS, defer_ms=DEFER_MS)  # type: ignore[assignment,misc]
    from telemetry.mqtt import link

    link.KEEPALIVE_S = KEEPALIVE_S
    link.CONNACK_WAIT_S = float(KEEPALIVE_S)


def main() -> None:
    clock, *words = sys.argv[1:]
    hurry()
    if clock:
        step_clock(Path(clock))
    sys.argv = ["motcua", *words]
    from motcua.__main__ import main as motcua

    motcua()


if __name__ == "__main__":
    main()
