"""An indicator's value from named figures: numerator, denominator, ratio, interval; pure, and only here is divided."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal

from telemetry.core.kpi.figures import SNAPSHOT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.kpi.indicators import Indicator

ValueState = Literal["ok", "no_data", "no_source"]
"""`no_source`: nobody reports the figures; `no_data`: somebody does, but there was nothing to divide by."""
Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """A confidence interval of a share, 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class IndicatorValue:
    """A value with what it was made of; `value` is None unless the state is `ok`."""

    state: ValueState
    numerator: int | None = None
    denominator: int | None = None
    value: float | None = None
    interval: ShareInterval | None = None


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> ShareInterval | None:
    """Return Wilson's score interval of a share (Wilson 1927, JASA 22:209), None without trials."""
    if trials <= 0:
        return None
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return ShareInterval(max(0.0, centre - half), min(1.0, centre + half))


def is_reported(name: str, figures: Mapping[str, int]) -> bool:
    """Return whether anybody reports a figure: it is above 0, or a snapshot, which may be 0."""
    return figures.get(name, 0) > 0 or (name in SNAPSHOT_FIELDS and name in figures)


def is_counted(names: Iterable[str], figures: Mapping[str, int]) -> bool:
    """Return whether a side of a ratio is known: of snapshots that count none of its figures it is not, and not 0."""
    return any(name in figures or name not in SNAPSHOT_FIELDS for name in names)


def indicator_value(indicator: Indicator, figures: Mapping[str, int]) -> IndicatorValue:
    """Return the value of an indicator from its figures; a figure that is missing counts as 0.

    Without any evidence figure that is reported there is no source; a figure by itself that is missing has no data.
    """
    is_source = any(is_reported(name, figures) for name in indicator.evidence_figures)
    if not is_source or not is_counted(indicator.numerator, figures):
        return IndicatorValue("no_source")
    numerator = sum(figures.get(name, 0) for name in indicator.numerator)
    if not indicator.denominator and not any(name in figures for name in indicator.numerator):
        return IndicatorValue("no_data")
    if not indicator.denominator:
        return IndicatorValue("ok", numerator, None, numerator / indicator.scale)
    denominator = sum(figures.get(name, 0) for name in indicator.denominator)
    if not denominator:
        return IndicatorValue("no_data", numerator, 0)
    interval = wilson_interval(numerator, denominator) if indicator.interval else None
    return IndicatorValue("ok", numerator, denominator, numerator / denominator / indicator.scale, interval)
