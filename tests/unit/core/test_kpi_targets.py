"""Targets as paths of indicators, milestones, yearly indices and signed commitments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from telemetry.core.inventory import Commitment, IndexFigure, OwnIndicator, Target, TargetStart
from telemetry.core.kpi.catalogue import INDICATORS, all_indicators
from telemetry.core.kpi.commitments import commitment_status
from telemetry.core.kpi.target_paths import (
    TargetSubject,
    milestone_state,
    target_owner,
    target_path,
    target_subject,
    targets_of,
)
from telemetry.core.kpi.trajectory import Measurement, TargetPath, TargetPoint
from telemetry.core.kpi.yearly_indices import index_figures, index_measurement, index_value

RANK = Target(
    "X-01", "Xếp hạng", "Rank", 20, "rank", date(2025, 12, 31), "Sở Nội vụ", TargetStart(44, date(2020, 12, 31))
)
STRATEGY = Target("DG-20", "Chiến lược", "Strategy", 1, "milestone", date(2030, 12, 31))
WAITS = tuple(
    Target("wait_mean", "Chờ", "Wait", value, "s", date(year, 12, 31))
    for year, value in ((2025, 900.0), (2022, 1800.0))
)


@pytest.mark.parametrize(
    ("ident", "indicator", "level"),
    [
        ("DG-01", "DG-01", ""),
        ("DG-01-commune", "DG-01", "commune"),
        ("DG-03b-district", "DG-03b", "district"),
        ("wait_mean", "Q-04b", ""),
        ("wait_mean-province", "Q-04b", "province"),
    ],
)
def test_a_target_is_about_an_indicator_and_perhaps_one_level(ident: str, indicator: str, level: str) -> None:
    assert target_subject(ident) == TargetSubject(INDICATORS[indicator], level)


@pytest.mark.parametrize("ident", ["DG-07-commune", "DG-01-region", "DG-99", "X", "", "commune"])
def test_what_no_indicator_has_is_no_subject(ident: str) -> None:
    assert target_subject(ident) is None


def test_the_path_of_the_rank_begins_at_the_measured_44() -> None:
    path = target_path([RANK, STRATEGY], INDICATORS["X-01"])
    values = [path.value_on(date(2020 + k, 12, 31)) for k in range(6)]
    assert [round(value or 0, 1) for value in values] == [44, 39.2, 34.4, 29.6, 24.8, 20]
    assert path.value_on(date(2019, 1, 1)) == 44
    assert path.next_target(date(2020, 1, 1)) == TargetPoint(date(2025, 12, 31), 20), "the start is no target"
    gap = path.gap(Measurement(date(2021, 12, 31), 41))
    assert gap == pytest.approx(1.8, abs=0.01)
    assert not path.larger_is_better


def test_a_start_without_targets_is_no_path() -> None:
    assert TargetPath((), start=TargetPoint(date(2020, 12, 31), 44)).value_on(date(2021, 1, 1)) is None


def test_targets_are_in_order_of_their_dates_and_an_indicator_may_have_none() -> None:
    assert [t.value for t in targets_of(WAITS, INDICATORS["Q-04b"])] == [1800, 900]
    assert target_path(WAITS, INDICATORS["Q-04b"]).points[0] == TargetPoint(date(2022, 12, 31), 1800)
    assert target_path(WAITS, INDICATORS["Q-04b"], "commune").points == ()


def test_the_owner_is_the_targets_else_the_catalogues() -> None:
    assert target_owner([replace(RANK, owner="Văn phòng")], INDICATORS["X-01"]) == "Văn phòng"
    assert target_owner([STRATEGY], INDICATORS["DG-20"]) == INDICATORS["DG-20"].owner


def test_a_milestone_is_open_until_it_is_done_and_late_after_its_date() -> None:
    assert milestone_state(STRATEGY, date(2030, 12, 31)) == "open"
    assert milestone_state(STRATEGY, date(2031, 1, 1)) == "late"
    done = replace(STRATEGY, done=date(2029, 6, 1))
    assert milestone_state(done, date(2029, 5, 31)) == "open"
    assert milestone_state(done, date(2029, 6, 1)) == "done"
    assert milestone_state(done, date(2031, 1, 1)) == "done"


def test_an_index_is_a_value_at_the_end_of_its_year() -> None:
    figures = [IndexFigure("X-01", year, 44, 44, 63, "s") for year in (2021, 2020)] + [
        IndexFigure("X-02", 2019, 86.7, 0, 0, "s")
    ]
    found = index_figures(figures, "X-01", date(2020, 6, 1))
    assert [f.year for f in found] == [2020]
    assert [f.year for f in index_figures(figures, "X-01", date(2030, 1, 1))] == [2020, 2021]
    assert index_measurement(found[0]) == Measurement(date(2020, 12, 31), 44)
    value = index_value(found[0])
    assert (value.state, value.numerator, value.denominator, value.value) == ("ok", None, None, 44)


# --- commitments ------------------------------------------------------------------------------

COMMITTED = Commitment("829", "", "DG-04", "", date(2022, 12, 31), 0.9, date(2021, 12, 1))
NEW_YEAR = Measurement(date(2022, 1, 1), 0.6)


def state_of(measured: list[Measurement], today: date, commitment: Commitment = COMMITTED) -> str:
    return commitment_status(commitment, INDICATORS[commitment.indicator], measured, today).state


def test_a_commitment_that_nobody_measures_has_no_source() -> None:
    status = commitment_status(COMMITTED, INDICATORS["DG-04"], [], date(2022, 6, 1))
    assert (status.state, status.measured, status.gap, status.reached_on) == ("no_source", None, None, None)


def test_a_commitment_is_on_track_when_the_pace_reaches_it_by_its_day() -> None:
    half = NEW_YEAR.day + timedelta(days=182)
    on_track = commitment_status(COMMITTED, INDICATORS["DG-04"], [NEW_YEAR, Measurement(half, 0.75)], half)
    assert (on_track.state, on_track.reached_on) == ("on_track", date(2022, 12, 31))
    assert on_track.gap == pytest.approx(-0.15)
    assert state_of([NEW_YEAR, Measurement(half, 0.74)], half) == "off_track"
    assert state_of([NEW_YEAR, Measurement(half, 0.5)], half) == "off_track"


def test_one_measurement_has_no_pace() -> None:
    assert state_of([NEW_YEAR], date(2022, 6, 1)) == "no_pace"
    assert state_of([NEW_YEAR, Measurement(NEW_YEAR.day, 0.7)], date(2022, 6, 1)) == "no_pace"


def test_what_is_reached_is_fulfilled_and_what_is_not_by_its_day_is_missed() -> None:
    assert state_of([Measurement(date(2022, 5, 1), 0.9)], date(2022, 6, 1)) == "fulfilled"
    late = Measurement(date(2023, 2, 1), 0.95)
    assert state_of([NEW_YEAR, late], date(2023, 3, 1)) == "missed", "good only after its day"
    assert state_of([late], date(2023, 3, 1)) == "no_source", "nothing was measured until its day"
    assert state_of([NEW_YEAR], date(2022, 12, 31)) == "no_pace", "its day is not over"


def test_a_wait_is_committed_downwards() -> None:
    wait = replace(COMMITTED, unit="", agency="Sở Tư pháp", indicator="Q-04b", value=1800)
    assert state_of([Measurement(date(2022, 5, 1), 1700)], date(2022, 6, 1), wait) == "fulfilled"
    assert state_of([Measurement(date(2022, 5, 1), 1900)], date(2023, 6, 1), wait) == "missed"


def test_a_declared_indicator_follows_the_catalogue_and_says_where_its_figures_come_from() -> None:
    rows = (
        OwnIndicator("BT-01", "a", "a", "procedures", "o", ("received_post",), ("received_post", "received_direct")),
        OwnIndicator("BT-02", "b", "b", "procedures", "o", ("catalogue_full",), formula="full"),
        OwnIndicator("BT-03", "c", "c", "modernisation", "o", ("connector_failed",), direction="down"),
    )
    indicators = all_indicators(rows)
    assert list(indicators) == [*INDICATORS, "BT-01", "BT-02", "BT-03"]
    own = [indicators[row.id] for row in rows]
    assert [(i.unit, i.source, i.by_level, i.direction) for i in own] == [
        ("ratio", "events", True, "up"), ("count", "catalogue", True, "up"), ("count", "totals", False, "down"),
    ]  # fmt: skip
    assert [i.formula for i in own] == ["received_post ÷ received_post + received_direct", "full", "connector_failed"]
    assert all_indicators(()) is INDICATORS
