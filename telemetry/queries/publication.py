"""What is said beside an account: may it still change, was it published, and what has changed since. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import to_local
from telemetry.core.slo.corrections import find_correction

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.inventory import PublishedFigures
    from telemetry.core.slo.corrections import PublishedCorrection

PublicationStage = Literal["provisional", "settled", "published"]


@dataclass(frozen=True, slots=True)
class PublicationNote:
    """What goes with one account; `capacity` is the share of the counters, low and high, None where there are none."""

    stage: PublicationStage
    capacity: tuple[float, float] | None = None
    published: PublishedFigures | None = None
    correction: PublishedCorrection | None = None


def publication_note(
    window: Window,
    account: TimeByState,
    published: PublishedFigures | None,
    settled_until: int,
    capacity: tuple[float, float] | None,
) -> PublicationNote:
    """Say what there is to say about an account; `known` is what was published of the very window."""
    if published is None:
        return PublicationNote("settled" if window.end <= settled_until else "provisional", capacity)
    current = replace(
        published, open=account.open, up=account.up, down=account.down,
        unknown=account.unknown, excluded=account.excluded
    )  # fmt: skip
    return PublicationNote("published", capacity, published, find_correction(published, current))


def exact_local_month(window: Window, zone: ZoneInfo) -> str:
    """Return the local month (`2026-10`) that the window is, exactly; otherwise nothing."""
    first, last = to_local(window.start, zone), to_local(window.end, zone)
    at_month_starts = all((t.hour, t.minute, t.second, t.day) == (0, 0, 0, 1) for t in (first, last))
    one_month_apart = (last.year - first.year) * 12 + last.month - first.month == 1
    return f"{first:%Y-%m}" if at_month_starts and one_month_apart else ""
