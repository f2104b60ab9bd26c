"""What is said beside an account: may it still change, was it published, and what has changed since. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import at
from telemetry.core.slo.corrections import correction

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import Account
    from telemetry.core.inventory import Published
    from telemetry.core.slo.corrections import Correction

Stage = Literal["provisional", "settled", "published"]


@dataclass(frozen=True, slots=True)
class Note:
    """What goes with one account; `capacity` is the share of the counters, low and high, None where there are none."""

    stage: Stage
    capacity: tuple[float, float] | None = None
    published: Published | None = None
    correction: Correction | None = None


def note(
    window: Window, found: Account, known: Published | None, settled: int, capacity: tuple[float, float] | None
) -> Note:
    """Say what there is to say about an account; `known` is what was published of the very window."""
    if known is None:
        return Note("settled" if window.end <= settled else "provisional", capacity)
    now = replace(
        known, open=found.total, up=found.up, down=found.down, unknown=found.unknown, excluded=found.excluded
    )  # fmt: skip
    return Note("published", capacity, known, correction(known, now))


def month(window: Window, zone: ZoneInfo) -> str:
    """Return the local month (`2026-10`) that the window is, exactly; otherwise nothing."""
    first, last = at(window.start, zone), at(window.end, zone)
    midnights = all((t.hour, t.minute, t.second, t.day) == (0, 0, 0, 1) for t in (first, last))
    one_on = (last.year - first.year) * 12 + last.month - first.month == 1
    return f"{first:%Y-%m}" if midnights and one_on else ""
