"""Families of indicators: those with a source only, so that silence is never a zero; it must not divide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.metrics.families import gauge_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from telemetry.core.kpi.values import IndicatorValue
    from telemetry.queries.indicators import IndicatorOverview

LABELS = ("kpi", "level")
ALL_LEVELS = "all"


@dataclass(frozen=True, slots=True)
class _Sample:
    kpi: str
    level: str
    value: IndicatorValue

    @property
    def labels(self) -> tuple[str, str]:
        return self.kpi, self.level


def indicator_families(overview: IndicatorOverview) -> Iterator[Metric]:
    """Yield value, numerator, denominator, target and path of every indicator and level that has a source."""
    samples = [
        _Sample(reading.indicator.id, level, value)
        for reading in overview.readings
        for level, value in ((ALL_LEVELS, reading.value), *reading.by_level.items())
        if value.state != "no_source"
    ]
    yield gauge_family(
        "kpi_value", "An indicator over the local year so far, in its unit (ratios from 0 to 1, seconds).", LABELS,
        ((s.labels, s.value.value) for s in samples if s.value.value is not None),
    )  # fmt: skip
    yield gauge_family(
        "kpi_numerator", "What is above the line of an indicator; durations in ms.", LABELS,
        ((s.labels, s.value.numerator) for s in samples if s.value.numerator is not None),
    )  # fmt: skip
    yield gauge_family(
        "kpi_denominator", "What is below the line of an indicator; durations in ms.", LABELS,
        ((s.labels, s.value.denominator) for s in samples if s.value.denominator is not None),
    )  # fmt: skip
    reported = {s.labels for s in samples}
    trajectories = [
        (labels, trajectory)
        for ident, paths in overview.trajectories.items()
        for trajectory in paths
        if (labels := (ident, trajectory.subject.level or ALL_LEVELS)) in reported
    ]
    yield gauge_family(
        "kpi_target", "The target of an indicator that is in force.", LABELS,
        ((labels, trajectory.in_force.value) for labels, trajectory in trajectories),
    )  # fmt: skip
    yield gauge_family(
        "kpi_path_value", "What the straight path between an indicator's targets asks for today.", LABELS,
        ((labels, trajectory.path_value) for labels, trajectory in trajectories),
    )  # fmt: skip
    yield gauge_family(
        "kpi_on_track", "Whether an indicator's value fulfils the path of its targets.", LABELS,
        ((labels, int(on_track)) for labels, path in trajectories if (on_track := path.on_track) is not None),
    )  # fmt: skip
