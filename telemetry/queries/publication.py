"""The publication state of an account: provisional or not, published or not, and changes by late data since. Pure.

A correction never replaces the published figure or the current one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.windows import Window
    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.inventory import PublishedFigures

PublicationStage = Literal["provisional", "settled", "published"]
PUBLISHED_FIGURES = ("open", "up", "down", "unknown", "excluded", "good", "bad")


@dataclass(frozen=True, slots=True)
class PublishedCorrection:
    """A published figure, the current one, and their signed difference: current − published."""

    published: PublishedFigures
    current: PublishedFigures
    difference: PublishedFigures


def find_correction(published: PublishedFigures, current: PublishedFigures) -> PublishedCorrection | None:
    """Compare published figures with current ones; None when every figure is the same.

    Raises ValueError when the two are not of one month, scope and objective.
    """
    if _figure_key(published) != _figure_key(current):
        msg = f"{_figure_key(published)} and {_figure_key(current)} are not one figure: compare those of one key"
        raise ValueError(msg)
    differences = {name: getattr(current, name) - getattr(published, name) for name in PUBLISHED_FIGURES}
    if not any(differences.values()):
        return None
    return PublishedCorrection(published, current, replace(published, **differences))


def _figure_key(figures: PublishedFigures) -> tuple[str, str, str]:
    return figures.month, figures.scope, figures.objective


@dataclass(frozen=True, slots=True)
class PublicationNote:
    """The publication state of one account; `capacity` is the share of the counters, low and high, None without any."""

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
    """Return an account's publication state; `published` is what was published of exactly this window."""
    if published is None:
        return PublicationNote("settled" if window.end <= settled_until else "provisional", capacity)
    current = replace(
        published, open=account.open, up=account.up, down=account.down,
        unknown=account.unknown, excluded=account.excluded
    )  # fmt: skip
    return PublicationNote("published", capacity, published, find_correction(published, current))


def exact_local_month(window: Window, zone: ZoneInfo) -> str:
    """Return the local month (`2026-10`) that equals the window, else None."""
    first, last = to_local(window.start, zone), to_local(window.end, zone)
    at_month_starts = all((t.hour, t.minute, t.second, t.day) == (0, 0, 0, 1) for t in (first, last))
    one_month_apart = (last.year - first.year) * 12 + last.month - first.month == 1
    return f"{first:%Y-%m}" if at_month_starts and one_month_apart else ""
