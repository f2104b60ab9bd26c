"""Published counts of procedures and dossiers as figures and baselines; pure, it must not read the inventory's files.

A baseline is an indicator's value from published counts alone, with the period for which they were published.  An
indicator has one only when both its sides were published for the same period: 86,253 online dossiers are a count, and
no share of all dossiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from telemetry.core.kpi.values import IndicatorValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import ProcedureCount

CURRENT_LEVELS: Mapping[str, str] = {"L3": "partial", "L4": "full", "L3-L4": "partial-full"}
"""What the levels until 2022 are called since: level 3 is partial, level 4 full."""
FORMER_LEVELS = frozenset({*CURRENT_LEVELS, "below-L3"})
FORMER_LEVELS_UNTIL = date(2022, 12, 31)
"""Decree 42/2022/NĐ-CP replaced levels 3 and 4 in the course of 2022: both kinds of names may count that year."""
CURRENT_LEVELS_FROM = date(2022, 1, 1)
_ONLINE = "partial-full"
_CATALOGUE: dict[str, tuple[str, str]] = {
    "catalogue_procedures": ("all", "procedures"),
    "catalogue_partial": ("partial", "procedures"),
    "catalogue_full": ("full", "procedures"),
    "catalogue_on_national_portal": (_ONLINE, "on_national_portal"),
}
"""Each catalogue figure, and the online level and measure whose count it is."""
_COUNTED_OVER_TIME: dict[str, tuple[str, str]] = {"procedures_with_online_dossiers": (_ONLINE, "with_dossiers")}
_BASELINES: Mapping[str, tuple[tuple[str, str], tuple[str, str] | None]] = {
    "DG-06": (("full", "procedures"), ("all", "procedures")),
    "DG-07": ((_ONLINE, "on_national_portal"), (_ONLINE, "procedures")),
    "DG-02b": ((_ONLINE, "with_dossiers"), (_ONLINE, "procedures")),
    "DG-17b": ((_ONLINE, "dossiers_online"), None),
}
"""The indicators that published counts give: the counts of numerator and denominator."""


@dataclass(frozen=True, slots=True, order=True)
class CountPeriod:
    """The period of a published count, both days in it; the order is that of their ends."""

    last: date
    first: date

    def touches(self, first: date, last: date) -> bool:
        """Return whether a day from `first` to `last` is in it."""
        return self.first <= last and self.last >= first

    def is_within(self, first: date, last: date) -> bool:
        """Return whether all its days are from `first` to `last`."""
        return first <= self.first and self.last <= last


@dataclass(frozen=True, slots=True)
class Baseline:
    """An indicator's value as published counts give it, and their period."""

    value: IndicatorValue
    period: CountPeriod


@dataclass(frozen=True, slots=True)
class DeclaredFigure:
    """A published count that stands for a figure, and its period."""

    value: int
    period: CountPeriod


_Counts = dict[tuple[str, str], int]


def _counts_by_period(counts: Iterable[ProcedureCount]) -> dict[CountPeriod, _Counts]:
    """Return the counts of each period by online level and measure, newest period first."""
    out: dict[CountPeriod, _Counts] = {}
    for row in counts:
        level = CURRENT_LEVELS.get(row.online_level, row.online_level)
        out.setdefault(CountPeriod(row.last, row.first), {})[level, row.measure] = row.count
    return dict(sorted(out.items(), reverse=True))


def _published_count(counts: _Counts, key: tuple[str, str]) -> int | None:
    """Return a count; that of all online services may be published as the sum of both levels."""
    level, measure = key
    if key in counts or level != _ONLINE:
        return counts.get(key)
    partial, full = counts.get(("partial", measure)), counts.get(("full", measure))
    return None if partial is None or full is None else partial + full


def baseline_of(indicator: str, counts: Iterable[ProcedureCount], until: date) -> Baseline | None:
    """Return an indicator's newest baseline of a period that has ended by `until`, None without one."""
    if indicator not in _BASELINES:
        return None
    over, under = _BASELINES[indicator]
    for period, published in _counts_by_period(counts).items():
        numerator = _published_count(published, over)
        denominator = None if under is None else _published_count(published, under)
        if period.last > until or numerator is None or (under is not None and not denominator):
            continue
        value = numerator / denominator if denominator else numerator
        return Baseline(IndicatorValue("ok", numerator, denominator, value), period)
    return None


def declared_figures(counts: Iterable[ProcedureCount], first: date, last: date) -> dict[str, DeclaredFigure]:
    """Return the figures that published counts give for the days from `first` to `last`.

    They are those of the newest catalogue period that touches the days, never a mix of two.  The services with dossiers
    were counted over that period, so it must lie within the days.  Dossiers are no figures: other channels lack.
    """
    for period, published in _counts_by_period(counts).items():
        if not period.touches(first, last):
            continue
        names = _CATALOGUE | (_COUNTED_OVER_TIME if period.is_within(first, last) else {})
        by_name = {name: _published_count(published, key) for name, key in names.items()}
        if any(by_name.get(name) is not None for name in _CATALOGUE):
            return {name: DeclaredFigure(count, period) for name, count in by_name.items() if count is not None}
    return {}
