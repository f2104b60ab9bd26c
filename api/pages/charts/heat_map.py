"""Half hour × weekday as a grid of numbers with shades; it must not compute figures, those are the profile's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from babel.dates import get_day_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.pages.frame.language import PageLocale
    from telemetry.core.figures.week_profile import ProfileCell, WeekProfile

LEVELS = 5
"""Shades of a grid; the number stands in every cell, so that the shade is never the only sign."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell: its number ("": closed), its shade (0: nothing) and the address of the days behind it."""

    text: str
    level: int
    href: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A weekday and its cells in the order of the grid's half hours."""

    label: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatGrid:
    """A grid with its name in the page, its caption and the half hours of its columns."""

    ident: str
    caption: str
    labels: tuple[str, ...]
    rows: tuple[HeatRow, ...]


def weekday_name(weekday: int, locale: PageLocale) -> str:
    """Return the name of a weekday, 0 is Monday."""
    return str(get_day_names("wide", context="stand-alone", locale=locale.lang)[weekday])


def slot_label(slot: int) -> str:
    """Return when a half hour of the day begins."""
    return f"{slot // 2:02d}:{slot % 2 * 30:02d}"


def build_heat_grids(profile: WeekProfile, centre: str, locale: PageLocale) -> tuple[HeatGrid, ...]:
    """Return the grids of tickets and of waits; none without past days."""
    if not profile.cells:
        return ()
    return (
        _grid(profile, centre, locale, "tickets", lambda cell: cell.issued_per_day),
        _grid(
            profile, centre, locale, "waits",
            lambda cell: None if cell.wait.mean_s is None else cell.wait.mean_s / 60,
        ),
    )  # fmt: skip


def _grid(
    profile: WeekProfile, centre: str, locale: PageLocale, ident: str, value_of: Callable[[ProfileCell], float | None]
) -> HeatGrid:
    values = {key: value_of(cell) for key, cell in profile.cells.items()}
    top = max((value for value in values.values() if value is not None), default=0.0)

    def cell_at(weekday: int, slot: int) -> HeatCell:
        if (weekday, slot) not in profile.cells:
            return HeatCell("", 0, "")
        value = values[weekday, slot]
        level = 0 if not value or not top else min(LEVELS, 1 + int(value / top * LEVELS))
        href = f"/centres/{centre}/half-hours?weekday={weekday}&at={slot_label(slot)}"
        return HeatCell(_short(value, locale), level, href)

    rows = tuple(
        HeatRow(weekday_name(weekday, locale), tuple(cell_at(weekday, slot) for slot in profile.slots))
        for weekday in profile.weekdays
    )
    return HeatGrid(ident, locale.t(f"heat_{ident}"), tuple(slot_label(slot) for slot in profile.slots), rows)


def _short(value: float | None, locale: PageLocale) -> str:
    """Return a number that fits into a cell: one decimal below ten."""
    if value is None:
        return "–"
    return locale.decimal(round(value, 1)) if value < 10 else locale.number(round(value))
