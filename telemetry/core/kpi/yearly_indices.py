"""Published yearly indices (PAR INDEX, SIPAS, PAPI, PCI, EGDI): imported, never computed; it must not read files."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.trajectory import Measurement
from telemetry.core.kpi.values import IndicatorValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.inventory import IndexFigure

INDEX_IDS = tuple(row.id for row in INDICATORS.values() if row.source == "import")
INDEX_MAXIMA: Mapping[str, float] = {"X-01b": 100, "X-02": 100, "X-03": 80, "X-04": 100, "X-05": 1}
"""The best value that an index can have; X-01 is a rank."""


def index_measurement(figure: IndexFigure) -> Measurement:
    """Return an index as the value at the end of its year."""
    return Measurement(date(figure.year, 12, 31), figure.value)


def index_value(figure: IndexFigure) -> IndicatorValue:
    """Return an index as a value that has neither numerator nor denominator."""
    return IndicatorValue("ok", None, None, figure.value)


def index_figures(figures: Iterable[IndexFigure], indicator: str, until: date) -> tuple[IndexFigure, ...]:
    """Return an index's figures of the years that begin by `until`, oldest first."""
    return tuple(
        sorted((f for f in figures if f.indicator == indicator and f.year <= until.year), key=lambda f: f.year)
    )
