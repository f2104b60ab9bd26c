"""The published counts of the interview of 2021 as baselines and declared figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from telemetry.core.inventory import ProcedureCount
from telemetry.core.kpi.baseline import Baseline, CountPeriod, DeclaredFigure, baseline_of, declared_figures
from telemetry.core.kpi.catalogue import INDICATORS

FIRST, LAST = date(2021, 1, 1), date(2021, 9, 28)
PERIOD = CountPeriod(LAST, FIRST)
COUNTS = tuple(
    ProcedureCount(f"{level}-{measure}", level, measure, count, FIRST, LAST)
    for level, measure, count in (
        ("all", "procedures", 1758),
        ("L4", "procedures", 1214),
        ("L3", "procedures", 267),
        ("below-L3", "procedures", 277),
        ("L4", "with_dossiers", 674),
        ("L3", "with_dossiers", 135),
        ("L4", "dossiers_online", 58_039),
        ("L3", "dossiers_online", 28_214),
        ("L3-L4", "on_national_portal", 912),
    )
)
YEAR_END = date(2021, 12, 31)


def baseline(ident: str, until: date = YEAR_END) -> Baseline:
    found = baseline_of(ident, COUNTS, until)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ident", "numerator", "denominator", "percent"),
    [
        ("DG-06", 1214, 1758, 69.06),
        ("DG-07", 912, 1481, 61.58),
        ("DG-02b", 809, 1481, 54.63),
        ("DG-17b", 86_253, None, 8_625_300),
    ],
)
def test_the_figures_of_2021_are_baselines_with_numerator_and_denominator(
    ident: str, numerator: int, denominator: int | None, percent: float
) -> None:
    found = baseline(ident)
    assert (found.value.numerator, found.value.denominator, found.period) == (numerator, denominator, PERIOD)
    assert found.value.value is not None
    assert round(100 * found.value.value, 2) == percent


def test_online_dossiers_alone_give_no_share_of_all_dossiers() -> None:
    for ident in ("DG-17", "DG-13", "DG-18"):
        assert baseline_of(ident, COUNTS, YEAR_END) is None, ident
    figures = declared_figures(COUNTS, FIRST, YEAR_END)
    dossiers = {name for ident in ("DG-17", "DG-13") for name in INDICATORS[ident].denominator}
    assert not dossiers & set(figures)


def test_a_baseline_counts_once_its_period_has_ended() -> None:
    assert baseline_of("DG-06", COUNTS, date(2021, 9, 27)) is None
    assert baseline("DG-06", LAST).period == PERIOD
    assert baseline("DG-06", date(2026, 1, 1)).period == PERIOD


def test_the_newest_baseline_stands_and_a_later_level_is_the_former_one() -> None:
    first, last = date(2023, 1, 1), date(2023, 12, 31)
    later = (
        replace(COUNTS[0], count=1800, first=first, last=last),
        replace(COUNTS[1], online_level="full", count=1000, first=first, last=last),
    )
    found = baseline_of("DG-06", (*COUNTS, *later), date(2024, 1, 1))
    assert found is not None
    assert (found.value.numerator, found.value.denominator) == (1000, 1800)
    portal = baseline_of("DG-07", (*COUNTS, *later), date(2024, 1, 1))
    assert portal is not None
    assert portal.period == PERIOD, "2023 has no count of the portal"


def test_a_side_that_was_not_published_or_is_nil_gives_no_baseline() -> None:
    assert baseline_of("DG-06", COUNTS[1:], YEAR_END) is None
    assert baseline_of("DG-06", (replace(COUNTS[0], count=0), *COUNTS[1:]), YEAR_END) is None
    assert baseline_of("DG-17b", [c for c in COUNTS if c.online_level != "L3"], YEAR_END) is None
    assert baseline_of("DG-17b", [c for c in COUNTS if c.online_level != "L4"], YEAR_END) is None


def test_counts_stand_for_the_figures_of_a_window_that_they_touch() -> None:
    day = date(2021, 9, 28)
    figures = declared_figures(COUNTS, day, day)
    assert {name: figure.value for name, figure in figures.items()} == {
        "catalogue_procedures": 1758,
        "catalogue_partial": 267,
        "catalogue_full": 1214,
        "catalogue_on_national_portal": 912,
    }
    assert declared_figures(COUNTS, FIRST, LAST)["procedures_with_online_dossiers"] == DeclaredFigure(809, PERIOD)
    assert declared_figures(COUNTS, date(2021, 9, 29), YEAR_END) == {}
    assert declared_figures(COUNTS[4:8], FIRST, LAST) == {}, "without a catalogue there is nothing to compare with"


def test_two_periods_are_never_added() -> None:
    first = date(2021, 9, 29)
    later = tuple(replace(c, count=c.count + 10, first=first, last=YEAR_END) for c in COUNTS[:2])
    figures = declared_figures((*COUNTS, *later), FIRST, YEAR_END)
    assert {name: figure.value for name, figure in figures.items()} == {
        "catalogue_procedures": 1768,
        "catalogue_full": 1224,
    }
