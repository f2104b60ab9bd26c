"""Figures of indicators: flows add, the newest snapshot of each centre and level counts, procedures are distinct."""

from __future__ import annotations

from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.figures import (
    FigureSet,
    PeriodFigures,
    add_queue_figures,
    set_wait_percentile,
)
from telemetry.core.kpi.values import indicator_value

DAY = 86_400_000


def level_total(day: int, level: str = "province", centre: str = "c1", **sums: int) -> Total:
    return Total(centre, f"administration:{centre}:{level}", "1d", day * DAY, "vn83", sums)


def procedure_total(name: str, centre: str = "c1", **sums: int) -> Total:
    return Total(centre, f"procedure:{centre}:{name}", "1d", DAY, "vn83", sums)


def figures_of(*totals: Total) -> FigureSet:
    return period_of(*totals).figures()


def period_of(*totals: Total) -> PeriodFigures:
    period = PeriodFigures()
    for total in totals:
        period.add_administration(total)
    return period


def test_flows_add_over_days_and_levels_and_tell_when_they_were_last_above_zero() -> None:
    figures = figures_of(
        level_total(1, received_online=3, received_direct=1),
        level_total(2, received_online=0, received_direct=4),
        level_total(2, "commune", "c2", received_online=5),
    )
    assert figures.overall == {"received_online": 8, "received_direct": 5}
    assert figures.by_level == {
        "province": {"received_online": 3, "received_direct": 5},
        "commune": {"received_online": 5},
    }
    assert figures.newest(["received_direct"]) == 2 * DAY
    assert figures.newest(["received_mobile"]) is None


def test_an_older_total_does_not_make_a_figure_older() -> None:
    figures = figures_of(level_total(2, received_direct=1), level_total(1, received_direct=1))
    assert (figures.overall, figures.newest(["received_direct"])) == ({"received_direct": 2}, 2 * DAY)


def test_of_snapshots_the_newest_of_each_centre_and_level_counts_as_the_mean_of_its_bucket() -> None:
    figures = figures_of(
        level_total(2, catalogue_full=2400, snapshots_full=2),
        level_total(1, catalogue_full=900, snapshots_full=1),
        level_total(3, catalogue_full=0, snapshots_full=0),
        level_total(1, "commune", "c2", catalogue_full=10, snapshots_full=1),
        level_total(3, backlog_open=7, backlog_overdue=0, backlog_snapshots=1),
    )
    assert figures.overall["catalogue_full"] == 1210
    assert figures.by_level["commune"] == {"catalogue_full": 10}
    assert (figures.overall["backlog_open"], figures.overall["backlog_overdue"]) == (7, 0)


def test_a_snapshot_of_zero_is_a_figure_and_no_snapshot_is_none() -> None:
    figures = figures_of(level_total(1, catalogue_full=0, snapshots_full=1))
    assert figures.overall == {"catalogue_full": 0}
    assert figures_of(level_total(1, catalogue_full=0, snapshots_full=0)).overall == {}


def test_a_procedure_of_two_levels_counts_once_at_each_and_once_over_all() -> None:
    period = PeriodFigures()
    for name, level in (("p1", "province"), ("p1", "commune"), ("p2", "commune")):
        period.add_procedure(procedure_total(name, "c1", resolved_online=1, **{f"resolved_online_{level}": 1}))
    figures = period.figures()
    assert figures.overall["procedures_resolved_online"] == 2
    assert {level: own["procedures_resolved_online"] for level, own in figures.by_level.items()} == {
        "province": 1,
        "commune": 2,
    }


def test_procedures_are_counted_once_whoever_reports_them() -> None:
    period = PeriodFigures()
    for total in (
        procedure_total("p1", received=2, resolved_online=0),
        procedure_total("p1", "c2", received=1, resolved_online=1),
        procedure_total("p2", received=1, payments_ok=3),
        procedure_total("p3", received=0),
    ):
        period.add_procedure(total)
    figures = period.figures()
    assert figures.overall == {
        "procedures_with_dossiers": 2,
        "procedures_with_online_dossiers": 0,
        "procedures_resolved_online": 1,
        "procedures_paid_online": 1,
    }


def test_percentiles_of_levels_are_merged_and_counts_of_waits_come_from_the_histogram() -> None:
    figures = FigureSet()
    short = {"called": 9, "wait_sum_ms": 9_000, "wait_histogram": 9 * histogram_of(1_000), "service_count": 2}
    long = {"called": 1, "wait_sum_ms": 60_000, "wait_histogram": histogram_of(60_000)}
    add_queue_figures(figures, "province", short, 5)
    add_queue_figures(figures, "commune", long, 6)
    both = {"wait_histogram": short["wait_histogram"] + long["wait_histogram"]}
    set_wait_percentile(figures, {"province": short, "commune": long, "district": {}}, both)
    assert figures.overall["wait_count"] == 10
    assert figures.overall["service_count"] == 2
    assert abs(figures.overall["wait_p90_ms"] - 1_000) <= 20
    assert abs(figures.by_level["commune"]["wait_p90_ms"] - 60_000) <= 1_200
    assert "wait_p90_ms" not in figures.by_level["district"]
    assert indicator_value(INDICATORS["Q-02"], figures.overall).value == 6.9


def test_periods_add_up_to_the_figures_of_all_their_totals() -> None:
    october = period_of(level_total(1, received_online=3, catalogue_full=900, snapshots_full=1))
    november = period_of(
        level_total(40, received_online=2, catalogue_full=950, snapshots_full=1), level_total(41, "commune", "c2")
    )
    october.add_procedure(procedure_total("p1", received=1))
    november.add_procedure(procedure_total("p1", received=1))
    november.add_procedure(procedure_total("p2", received=1))
    october.add_queue_sums("commune", {"issued": 2, "wait_histogram": histogram_of(1_000)}, 5)
    november.add_queue_sums("commune", {"issued": 3, "wait_histogram": 2 * histogram_of(9_000)}, None)
    for parts in ((october, november), (november, october)):
        year = PeriodFigures()
        for part in parts:
            year.add(part)
        figures = year.figures()
        assert figures.overall["received_online"] == 5
        assert figures.overall["catalogue_full"] == 950
        assert figures.overall["procedures_with_dossiers"] == 2
        assert (figures.overall["issued"], figures.overall["wait_count"]) == (5, 3)
        assert figures.newest(["received_online"]) == 40 * DAY
        assert figures.newest(["issued"]) == 5
        assert abs(figures.by_level["commune"]["wait_p90_ms"] - 9_000) <= 180
