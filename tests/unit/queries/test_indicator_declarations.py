"""What the inventory declares in the readings of indicators: published counts, yearly indices, milestones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from telemetry import inventory
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.kpi.baseline import CountPeriod
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.figures import FigureSet
from telemetry.queries.indicator_figures import unreported_counts
from telemetry.queries.indicators import IndicatorFigures, IndicatorReading

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory

PERIOD = CountPeriod(date(2021, 9, 28), date(2021, 1, 1))


@pytest.fixture(scope="module")
def sample() -> Inventory:
    return inventory.load(inventory.default_path())


def days(declared: Inventory, first: date, last: date) -> Window:
    return Window(day_window(first, declared.zone).start, day_window(last, declared.zone).end)


def reading(declared: Inventory, ident: str, last: date, first: date | None = None) -> IndicatorReading:
    """Return an indicator's reading of a window in which nobody reports anything."""
    window = days(declared, first or last.replace(month=1, day=1), last)
    figures, counts = FigureSet(), unreported_counts(declared, window, {})
    for name, figure in counts.items():
        figures.add("", name, figure.value)
    periods = {name: figure.period for name, figure in counts.items()}
    return IndicatorFigures(window, window.end, figures, periods, declared).reading(INDICATORS[ident])


@pytest.mark.parametrize(
    ("ident", "numerator", "denominator"), [("DG-06", 1214, 1758), ("DG-07", 912, 1481), ("DG-02b", 809, 1481)]
)
def test_published_counts_of_2021_are_the_values_of_that_year(
    sample: Inventory, ident: str, numerator: int, denominator: int
) -> None:
    found = reading(sample, ident, date(2021, 12, 31))
    assert (found.value.state, found.value.numerator, found.value.denominator) == ("ok", numerator, denominator)
    assert (found.is_declared, found.declared_period) == (True, PERIOD)


def test_in_a_later_year_they_are_the_baseline_and_no_value(sample: Inventory) -> None:
    found = reading(sample, "DG-06", date(2026, 11, 1))
    assert (found.value.state, found.is_declared) == ("no_source", False)
    assert found.baseline is not None
    assert (found.baseline.value.numerator, found.baseline.value.denominator) == (1214, 1758)
    assert found.baseline.period == PERIOD


def test_a_part_of_the_period_has_no_services_with_dossiers(sample: Inventory) -> None:
    assert reading(sample, "DG-02b", date(2021, 9, 27)).value.state == "no_source"
    assert reading(sample, "DG-06", date(2021, 9, 27)).value.state == "ok"


def test_86253_online_dossiers_are_a_number_and_never_all_dossiers(sample: Inventory) -> None:
    for ident in ("DG-17", "DG-13", "DG-18", "DG-17b"):
        assert reading(sample, ident, date(2021, 12, 31)).value.state == "no_source", ident
    baseline = reading(sample, "DG-17b", date(2021, 12, 31)).baseline
    assert baseline is not None
    assert (baseline.value.numerator, baseline.value.denominator) == (86_253, None)
    assert reading(sample, "DG-17", date(2021, 12, 31)).baseline is None


def test_a_reported_catalogue_is_never_mixed_with_a_declared_one(sample: Inventory) -> None:
    window = days(sample, date(2021, 1, 1), date(2021, 12, 31))
    found = unreported_counts(sample, window, {"catalogue_procedures": 1800, "catalogue_full": 0})
    assert set(found) == {"procedures_with_online_dossiers"}
    assert set(unreported_counts(sample, window, {"received_direct": 1})) == {
        "catalogue_procedures",
        "catalogue_partial",
        "catalogue_full",
        "catalogue_on_national_portal",
    }


def test_an_index_is_its_newest_year_until_the_window_ends(sample: Inventory) -> None:
    found = reading(sample, "X-01", date(2021, 12, 31))
    assert (found.value.state, found.value.value) == ("ok", 44)
    assert found.imported is not None
    assert (found.imported.year, found.imported.rank, found.imported.units_ranked) == (2020, 44, 63)
    assert found.newest == day_window(date(2020, 12, 31), sample.zone).start
    assert reading(sample, "X-01", date(2019, 12, 31)).value.state == "no_source"


@pytest.mark.parametrize("ident", ["X-01b", "X-02", "X-03", "X-04", "X-05"])
def test_an_index_without_a_published_year_has_no_source_and_no_zero(sample: Inventory, ident: str) -> None:
    found = reading(sample, ident, date(2021, 12, 31))
    assert (found.value.state, found.value.value, found.newest) == ("no_source", None, None)


def test_the_ai_strategy_is_a_milestone_that_is_done_or_late(sample: Inventory) -> None:
    assert (reading(sample, "DG-20", date(2026, 1, 1)).milestone) == "open"
    late = reading(sample, "DG-20", date(2031, 1, 1))
    assert (late.milestone, late.value.state, late.value.value) == ("late", "ok", 0)
    targets = tuple(replace(t, done=date(2029, 1, 1)) if t.id == "DG-20" else t for t in sample.targets)
    done = reading(replace(sample, targets=targets), "DG-20", date(2029, 1, 1))
    assert (done.milestone, done.value.value) == ("done", 1)
    without = reading(replace(sample, targets=()), "DG-20", date(2029, 1, 1))
    assert (without.milestone, without.value.state) == (None, "no_source")
