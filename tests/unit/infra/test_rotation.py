"""Generations: there is always a valid one with time to spare, two overlap, and the same day gives the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from infra.plan.pki import RotationSchedule, certificate_plan
from infra.providers.pki.rotation import IssuedCertificate, certificate_state, overdue_rows, rotation_report

FIRST = date(2026, 1, 1)
TODAY = date(2026, 11, 23)


@dataclass(frozen=True)
class Time:
    """An epoch and a day within its first decades."""

    epoch: RotationSchedule
    day: date


@st.composite
def times(draw: st.DrawFn) -> Time:
    life = draw(st.integers(2, 4000))
    overlap = draw(st.integers(1, life - 1))
    first = draw(st.dates(date(2020, 1, 1), date(2032, 12, 31)))
    return Time(RotationSchedule(first, life, overlap), first + timedelta(days=draw(st.integers(0, 12_000))))


@given(times())
def test_on_any_day_the_current_generation_has_begun_and_leaves_the_overlap(time: Time) -> None:
    epoch, current = time.epoch, time.epoch.generation_on(time.day)
    assert epoch.start_of(current) <= time.day < epoch.start_of(current + 1)
    assert (epoch.end_of(current) - time.day).days > epoch.overlap_days


@given(times())
def test_on_the_day_of_a_switch_the_old_one_lasts_for_the_overlap(time: Time) -> None:
    epoch, current = time.epoch, time.epoch.generation_on(time.day)
    switch = epoch.start_of(current + 1)
    assert (epoch.generation_on(switch - timedelta(days=1)), epoch.generation_on(switch)) == (current, current + 1)
    assert (epoch.end_of(current) - switch).days == epoch.overlap_days


@given(times())
def test_generations_are_counted_without_gaps_whatever_the_calendar(time: Time) -> None:
    """Months and leap days do not matter: a period is a number of days."""
    epoch = time.epoch
    assert epoch.generation_on(time.day) == epoch.generation_on(time.day)
    assert epoch.generation_on(time.day + timedelta(days=epoch.period_days)) == epoch.generation_on(time.day) + 1
    days = [epoch.generation_on(time.day + timedelta(days=n)) for n in range(40)]
    assert all(after - before in {0, 1} for before, after in pairwise(days))


@given(times())
def test_the_report_calls_the_current_generation_active_until_its_switch(time: Time) -> None:
    epoch, number = time.epoch, time.epoch.generation_on(time.day)
    one = certificate_plan("broker", "server", epoch, number)
    assert certificate_state(one, time.day) == "active"
    assert certificate_state(one, one.renew_on) == "retiring"
    assert certificate_state(one, one.not_after) == "expired"
    assert certificate_state(one, one.not_before - timedelta(days=1)) == "next"


def test_before_the_first_day_there_is_generation_one() -> None:
    assert RotationSchedule(FIRST, 100, 20).generation_on(FIRST - timedelta(days=500)) == 1


def test_an_authority_that_has_a_successor_retires() -> None:
    epoch = RotationSchedule(FIRST, 100, 30)
    rows = rotation_report(
        [certificate_plan("ca", "authority", epoch, n) for n in (3, 1, 2)], FIRST + timedelta(days=75)
    )
    assert [(row.generation, row.state, row.renew_on) for row in rows] == [
        (1, "retiring", None),
        (2, "active", FIRST + timedelta(days=140)),
        (3, "next", FIRST + timedelta(days=210)),
    ]
    assert [row.days_left for row in rows] == [25, 95, 165]


def test_a_successor_that_has_not_begun_replaces_nothing() -> None:
    epoch = RotationSchedule(FIRST, 100, 30)
    rows = rotation_report([certificate_plan("ca", "authority", epoch, n) for n in (1, 2)], FIRST + timedelta(days=10))
    assert [row.state for row in rows] == ["active", "next"]


@pytest.mark.parametrize(("ends", "states"), [(TODAY, ["expired"]), (TODAY + timedelta(days=1), ["retiring"])])
def test_a_file_that_ended_without_successor_is_overdue(ends: date, states: list[str]) -> None:
    rows = rotation_report([IssuedCertificate("broker", "server", FIRST, ends)], TODAY)
    assert [row.state for row in rows] == states
    assert overdue_rows(rows) == [row for row in rows if row.state == "expired"]


def test_what_ended_and_was_replaced_is_not_overdue() -> None:
    old, new = (
        IssuedCertificate("k", "client", FIRST, TODAY, 1),
        IssuedCertificate("k", "client", FIRST, TODAY + timedelta(days=90), 2),
    )
    assert overdue_rows(rotation_report([old, new], TODAY)) == []


def test_a_file_is_due_when_a_third_of_its_life_is_left() -> None:
    one = IssuedCertificate("broker", "server", FIRST, FIRST + timedelta(days=90))
    assert one.renew_on == FIRST + timedelta(days=60)


def test_authorities_come_first_then_servers_then_clients() -> None:
    epoch = RotationSchedule(FIRST, 100, 30)
    made = [
        certificate_plan("b", "client", epoch, 1),
        certificate_plan("a", "client", epoch, 1),
        certificate_plan("s", "server", epoch, 1),
    ]
    rows = rotation_report([*made, certificate_plan("z", "authority", epoch, 1)], FIRST)
    assert [row.name for row in rows] == ["z", "s", "a", "b"]
