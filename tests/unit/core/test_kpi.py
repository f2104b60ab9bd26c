"""Indicators: the catalogue, values with numerator and denominator, target paths, the score of Decision 766."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS
from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.decision_766 import SCORE_RULES, score_766
from telemetry.core.kpi.digital_indicators import DIGITAL_INDICATORS
from telemetry.core.kpi.figures import DISTINCT_PROCEDURES
from telemetry.core.kpi.service_indicators import SERVICE_INDICATORS
from telemetry.core.kpi.trajectory import Measurement, TargetPath, TargetPoint
from telemetry.core.kpi.values import IndicatorValue, ShareInterval, indicator_value, wilson_interval

COMMUNES = TargetPath(
    (*(TargetPoint(date(2021 + k, 12, 31), 0.15 + 0.2 * k) for k in range(4)), TargetPoint(date(2025, 12, 31), 1.0))
)
RANK = TargetPath((TargetPoint(date(2020, 12, 31), 44), TargetPoint(date(2025, 12, 31), 20)), larger_is_better=False)


# --- the catalogue ----------------------------------------------------------------------------


def test_every_row_of_the_programme_is_in_the_catalogue_once() -> None:
    assert len(INDICATORS) == len(DIGITAL_INDICATORS) + len(SERVICE_INDICATORS)
    last = {"DG": 20, "Q": 14, "A": 19, "X": 5, "F": 2}
    assert {f"{row}-{n:02}" for row, end in last.items() for n in range(1, end + 1)} <= set(INDICATORS)


def test_every_row_has_a_formula_an_owner_and_two_names() -> None:
    for row in INDICATORS.values():
        assert row.formula, row.id
        assert row.owner, row.id
        assert row.name_vi != row.name_en or row.id.startswith("X-"), row.id


def test_figures_of_events_are_sums_that_the_fold_writes() -> None:
    distinct = {*DISTINCT_PROCEDURES}
    for row in DIGITAL_INDICATORS:
        if row.source in {"events", "catalogue"}:
            assert {*row.numerator, *row.denominator} <= {*ADMINISTRATION_FIELDS, *distinct}, row.id


# --- values -----------------------------------------------------------------------------------


def test_a_value_keeps_its_numerator_and_denominator() -> None:
    value = indicator_value(
        INDICATORS["DG-07"], {"catalogue_on_national_portal": 912, "catalogue_partial": 267, "catalogue_full": 1214}
    )
    assert (value.state, value.numerator, value.denominator) == ("ok", 912, 1481)
    assert value.value == pytest.approx(0.6158, abs=5e-5)


def test_without_a_source_there_is_no_value_and_no_zero() -> None:
    assert indicator_value(INDICATORS["DG-09"], {}) == IndicatorValue("no_source")
    assert indicator_value(INDICATORS["DG-09"], {"outgoing": 0, "outgoing_signed": 0}) == IndicatorValue("no_source")
    assert indicator_value(INDICATORS["X-03"], {"outgoing": 1}) == IndicatorValue("no_source")


def test_a_source_that_had_nothing_to_count_has_no_value() -> None:
    value = indicator_value(
        INDICATORS["A-07"], {"payments_ok": 0, "payments_gateway_error": 0, "payments_user_cancel": 3}
    )
    assert value.state == "no_source"
    paid = indicator_value(INDICATORS["DG-03"], {"payments_user_cancel": 3})
    assert (paid.state, paid.numerator, paid.denominator, paid.value) == ("no_data", 0, 0, None)


def test_a_source_that_counted_no_success_has_the_value_zero() -> None:
    assert indicator_value(INDICATORS["DG-09"], {"outgoing": 5}).value == 0.0


def test_durations_are_shown_in_seconds_and_counts_as_they_are() -> None:
    waits = {"issued": 4, "called": 2, "wait_sum_ms": 90_000, "wait_count": 2}
    assert indicator_value(INDICATORS["Q-02"], waits).value == 45
    assert indicator_value(INDICATORS["Q-01"], waits) == IndicatorValue("ok", 4, None, 4)


def test_satisfaction_has_wilsons_interval() -> None:
    interval = indicator_value(INDICATORS["DG-04"], {"ratings": 10, "ratings_good": 9}).interval
    assert interval is not None
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.5958, 0.9821)
    assert wilson_interval(0, 0) is None
    assert indicator_value(INDICATORS["DG-09"], {"outgoing": 5}).interval is None


@given(st.integers(1, 10**6), st.data())
def test_wilsons_interval_holds_the_share_and_stays_within_0_and_1(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    interval = wilson_interval(successes, trials)
    assert isinstance(interval, ShareInterval)
    assert 0 <= interval.low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= interval.high <= 1


# --- paths ------------------------------------------------------------------------------------


def test_the_path_is_a_straight_line_between_targets_and_level_outside() -> None:
    assert COMMUNES.value_on(date(2020, 1, 1)) == 0.15
    assert COMMUNES.value_on(date(2021, 12, 31)) == 0.15
    assert COMMUNES.value_on(date(2022, 12, 31)) == pytest.approx(0.35)
    assert COMMUNES.value_on(date(2022, 7, 2)) == pytest.approx(0.15 + 0.2 * 183 / 365)
    assert COMMUNES.value_on(date(2030, 1, 1)) == 1.0
    assert TargetPath(()).value_on(date(2022, 1, 1)) is None


def test_the_minimum_pace_leaves_the_communes_at_95_percent() -> None:
    assert COMMUNES.final_value_at_pace(0.2) == pytest.approx(0.95)
    assert TargetPath(()).final_value_at_pace(0.2) is None


def test_the_gap_is_measured_minus_path() -> None:
    assert COMMUNES.gap(Measurement(date(2022, 12, 31), 0.3)) == pytest.approx(-0.05)
    assert TargetPath(()).gap(Measurement(date(2022, 12, 31), 0.3)) is None
    assert COMMUNES.next_target(date(2023, 1, 1)) == COMMUNES.points[2]
    assert COMMUNES.next_target(date(2026, 1, 1)) is None


def test_the_day_on_which_the_present_pace_reaches_the_last_target() -> None:
    measured = [Measurement(date(2022, 1, 1), 0.20), Measurement(date(2022, 4, 11), 0.30)]
    assert COMMUNES.reached_on(measured) == date(2022, 4, 11) + timedelta(days=700)
    assert COMMUNES.reached_on([Measurement(date(2022, 1, 1), 1.0)]) == date(2022, 1, 1)


@pytest.mark.parametrize(
    "measured",
    [
        [],
        [Measurement(date(2022, 1, 1), 0.2)],
        [Measurement(date(2022, 1, 1), 0.2), Measurement(date(2022, 2, 1), 0.2)],
        [Measurement(date(2022, 1, 1), 0.2), Measurement(date(2022, 2, 1), 0.1)],
        [Measurement(date(2022, 1, 1), 0.2), Measurement(date(2023, 1, 1), 0.2001)],
    ],
)
def test_a_pace_that_leads_nowhere_has_no_day(measured: list[Measurement]) -> None:
    assert COMMUNES.reached_on(measured) is None


def test_a_target_that_is_as_good_as_the_value_is_reached_at_once() -> None:
    assert COMMUNES.reached_on([Measurement(date(2022, 1, 1), 0.2), Measurement(date(2022, 2, 1), 1.0)]) == date(
        2022, 2, 1
    )


def test_no_target_has_no_day() -> None:
    assert TargetPath(()).reached_on([Measurement(date(2022, 1, 1), 0.2)]) is None


def test_a_rank_falls_along_its_path() -> None:
    assert [round(RANK.value_on(date(2020 + k, 12, 31)) or 0, 1) for k in range(6)] == [44, 39.2, 34.4, 29.6, 24.8, 20]
    assert RANK.is_reached(19, 20)
    assert not RANK.is_reached(21, 20)
    assert RANK.reached_on([Measurement(date(2020, 12, 31), 44), Measurement(date(2021, 12, 31), 32)]) == date(
        2022, 12, 31
    )


# --- Decision 766 -----------------------------------------------------------------------------

NAMES = frozenset(name for rule in SCORE_RULES for side in rule.figures for name in side)


def test_the_maxima_of_the_groups_are_those_of_the_decision() -> None:
    groups: dict[str, float] = {}
    for rule in SCORE_RULES:
        groups[rule.group] = groups.get(rule.group, 0) + rule.points
    assert groups == {
        "transparency": 18,
        "progress": 20,
        "online": 12,
        "payment": 10,
        "digitisation": 22,
        "satisfaction": 18,
    }


def test_a_perfect_province_has_100_points() -> None:
    denominators = {name for rule in SCORE_RULES for name in rule.figures[1]}
    figures = {name: 1 if name in denominators else 1000 for name in NAMES}
    assert score_766(figures | {"received_online": 1000, "resolved_on_time": 2000}, NAMES).points == pytest.approx(100)


@pytest.mark.parametrize(
    ("figures", "code", "points"),
    [
        ({"catalogue_partial": 267, "catalogue_full": 1214, "catalogue_procedures": 1758}, "ONLINE_SERVICES", 2),
        ({"received_online": 1, "received_direct": 3}, "ONLINE_DOSSIERS", 3),
        ({"procedures_paid_online": 4, "catalogue_with_fee": 10}, "PROCEDURES_PAID_ONLINE", 1),
        ({"ratings_good": 45, "ratings": 100}, "DOSSIER_RECEIVING_SATISFACTION", 3),
        ({"ratings_good": 95, "ratings": 100}, "DOSSIER_RECEIVING_SATISFACTION", 6),
        ({"digitised_data_reused": 4, "digitisation_recorded": 10}, "REUSED_DIGITIZED_DATA", 1),
    ],
)
def test_a_component_saturates_where_the_portals_does(figures: dict[str, int], code: str, points: float) -> None:
    by_code = {c.rule.code: c.points for c in score_766(figures, frozenset(figures)).components}
    assert by_code[code] == pytest.approx(points)


def test_nothing_counted_follows_the_rule_of_each_component() -> None:
    """Satisfaction without ratings has 0 points, petitions without a petition all 6; silence is missing, not zero."""
    silent = score_766({}, frozenset())
    assert (silent.points, silent.reported_maximum) == (0, 0)
    assert set(silent.missing) == {rule.code for rule in SCORE_RULES}
    empty = score_766({}, NAMES)
    by_code = {c.rule.code: c.points for c in empty.components}
    assert by_code["DOSSIER_RECEIVING_SATISFACTION"] == 0
    assert (by_code["PETITION_PROCESSING_ON_TIME"], by_code["PETITION_HANDLING_SATISFACTION"]) == (6, 6)
    assert by_code["PROGRESS"] is None
    assert empty.reported_maximum == 18


def test_the_change_of_a_score_is_over_what_both_periods_report() -> None:
    before = score_766({"ratings": 100, "ratings_good": 45, "sync_dossiers": 2, "sync_synced": 1}, frozenset())
    after = score_766({"ratings": 100, "ratings_good": 60}, frozenset())
    assert after.change_since(before) == pytest.approx(1.0)
    assert after.change_since(score_766({}, frozenset())) is None


def test_a_quiet_month_of_petitions_has_full_points_when_petitions_are_reported_at_other_times() -> None:
    by_code = {c.rule.code: c.points for c in score_766({}, frozenset({"petitions_received"})).components}
    assert (by_code["PETITION_PROCESSING_ON_TIME"], by_code["PETITION_HANDLING_SATISFACTION"]) == (6.0, 6.0)


def test_a_catalogue_that_counts_no_internal_procedure_is_a_source_without_anything_to_divide_by() -> None:
    value = indicator_value(INDICATORS["DG-05"], {"catalogue_internal": 0, "catalogue_internal_published": 0})
    assert (value.state, value.denominator, value.value) == ("no_data", 0, None)


def test_a_figure_by_itself_that_is_missing_is_no_zero() -> None:
    assert indicator_value(INDICATORS["Q-12"], {"centres_live": 3}) == IndicatorValue("no_data")
    assert indicator_value(INDICATORS["Q-12"], {"centres_live": 3, "drain_ms": 0}).value == 0


def test_a_catalogue_that_does_not_count_a_thing_is_no_source_of_it_and_no_zero() -> None:
    counted = {"catalogue_procedures": 10, "catalogue_full": 4, "catalogue_partial": 0}
    assert indicator_value(INDICATORS["DG-07"], counted) == IndicatorValue("no_source")
    assert indicator_value(INDICATORS["DG-07"], {**counted, "catalogue_on_national_portal": 0}).value == 0
    by_code = {c.rule.code: c.points for c in score_766(counted, frozenset(counted)).components}
    assert (by_code["PUBLISH_ON_TIME"], by_code["ONLINE_SERVICES"]) == (None, 1.0)
