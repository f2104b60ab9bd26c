"""Budgets are signed and exact, standings have hysteresis, histories and spendings add up to the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import HOUR, SLOT, Window
from telemetry.core.figures.accounting import TimeByState, sum_times
from telemetry.core.inventory import Objective
from telemetry.core.slo import budget as bg, evaluation as stt, history as hs
from telemetry.core.slo.sli import GoodBad, weigh_time
from telemetry.core.slo.timeseries import TimeBucket, build_time_series

if TYPE_CHECKING:
    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.inventory import ObjectiveUnknownPolicy

calm = settings(deadline=None)

goals = st.integers(0, 999).map(lambda n: n / 1000)
seconds = st.integers(0, 10_000_000)
policies: st.SearchStrategy[ObjectiveUnknownPolicy] = st.sampled_from(["exclude", "down", "up", "settle"])
cells_of_five = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)).map(
        lambda p: TimeByState(
            1000 * max(0, 300 - sum(p)), 1000 * min(p[0], 300 - min(p[1], 300)), 1000 * min(p[1], 300)
        )
    ),
    max_size=12,
)


def test_the_slack_of_a_goal_is_what_was_written() -> None:
    assert [bg.error_budget(goal, 1000, 0).total for goal in (0.995, 0.98, 0.9, 1.0, 0.0)] == [5, 20, 100, 0, 1000]


@calm
@given(goals, seconds, seconds)
def test_remaining_is_signed_and_completes_the_budget(goal: float, period: int, bad: int) -> None:
    found = bg.error_budget(goal, period, bad)
    assert found.remaining + found.consumed == pytest.approx(found.total)
    assert (found.remaining < 0) == (bad > found.total)
    if found.remaining_ratio is None:
        assert found.total == 0
    else:
        assert found.remaining_ratio * found.total == pytest.approx(found.remaining, abs=1e-3)


@calm
@given(goals, st.lists(st.tuples(seconds, seconds), max_size=5))
def test_budgets_of_parts_add_up_to_the_budget_of_the_whole(goal: float, parts: list[tuple[int, int]]) -> None:
    whole = bg.error_budget(goal, sum(p for p, _ in parts), sum(b for _, b in parts))
    found = [bg.error_budget(goal, period, bad) for period, bad in parts]
    assert sum(b.remaining for b in found) == pytest.approx(whole.remaining)


@pytest.mark.parametrize(
    ("consumed", "before", "word"),
    [
        (0, "no_data", "healthy"),
        (79, "healthy", "healthy"),
        (80, "healthy", "at_risk"),
        (79, "at_risk", "at_risk"),
        (74, "at_risk", "healthy"),
        (99, "at_risk", "at_risk"),
        (100, "at_risk", "exhausted"),
        (97, "exhausted", "exhausted"),
        (94, "exhausted", "at_risk"),
        (74, "exhausted", "healthy"),
        (150, "healthy", "exhausted"),
    ],
)
def test_a_standing_improves_only_past_its_limit(consumed: int, before: SloState, word: str) -> None:
    assert bg.classify_slo_state(bg.ErrorBudget(100, consumed), 1, before) == word


def test_a_goal_of_one_is_exhausted_by_anything_bad() -> None:
    assert bg.classify_slo_state(bg.ErrorBudget(0, 0), 5) == "healthy"
    assert bg.classify_slo_state(bg.ErrorBudget(0, 1), 5) == "exhausted"
    assert bg.classify_slo_state(bg.ErrorBudget(0, 0), 0) == "no_data"


def test_the_end_of_a_budget_is_foretold_in_open_time() -> None:
    line = build_open_timeline([Window(0, HOUR), Window(3 * HOUR, 4 * HOUR)])
    left = bg.ErrorBudget(1000, 100)
    assert bg.predict_exhaustion(left, 0.5, line, HOUR // 2) == HOUR // 2 + HOUR // 2
    assert bg.predict_exhaustion(left, 0.25, line, HOUR // 2) == 3 * HOUR + HOUR // 2
    assert bg.predict_exhaustion(left, 0.1, line, 0) is None
    assert bg.predict_exhaustion(left, 0.0, line, 0) is None
    assert bg.predict_exhaustion(left, None, line, 0) is None
    assert bg.predict_exhaustion(bg.ErrorBudget(1000, 1000), 0.5, line, 0) is None


def test_silence_is_charged_once_it_is_settled() -> None:
    found = build_time_series(
        [
            TimeBucket(Window(0, SLOT), TimeByState(0, 0, SLOT)),
            TimeBucket(Window(SLOT, 2 * SLOT), TimeByState(0, 0, SLOT)),
        ]
    )
    judged = weigh_time(found.split_settled(Window(0, 2 * SLOT), SLOT), "settle")
    assert (judged.good_bad, judged.account.unknown) == (GoodBad(0, 300), 600)
    assert weigh_time(found.split_settled(Window(0, 2 * SLOT), 0), "settle").good_bad == GoodBad()
    assert weigh_time(found.split_settled(Window(0, 2 * SLOT), 9 * SLOT), "settle").good_bad == GoodBad(0, 600)


@calm
@given(cells_of_five, policies, st.integers(0, 12), goals)
def test_the_identities_of_a_status_hold_in_whole_seconds(
    found: list[TimeByState], policy: ObjectiveUnknownPolicy, cut: int, goal: float
) -> None:
    known = build_time_series(TimeBucket(Window(i * SLOT, (i + 1) * SLOT), t) for i, t in enumerate(found))
    judged = weigh_time(known.split_settled(Window(0, 12 * SLOT), cut * SLOT), policy)
    account = judged.account
    assert account == sum_times(found).to_seconds()
    status = stt.time_status(goal, judged, stt.StatusContext(), build_open_timeline([]), 0)
    assert status.budget.total == pytest.approx((1 - goal) * account.open)
    charged = {"down": account.unknown, "exclude": 0, "up": 0}
    if policy in charged:
        assert status.budget.consumed == account.down + charged[policy]
    if status.good_bad.ratio is not None and account.low is not None and account.high is not None:
        assert account.low <= status.good_bad.ratio <= account.high


def test_a_calendar_months_budget_counts_the_days_to_come() -> None:
    judged = weigh_time([(TimeByState(3600_000, 60_000), True)], "down")
    outlook = stt.StatusContext(period_total=600_000, recent_error_ratio=0.5, previous_state="at_risk")
    found = stt.time_status(0.995, judged, outlook, build_open_timeline([Window(0, 10 * HOUR)]), 0)
    assert (found.budget.total, found.budget.consumed, found.slo_state) == (3000, 60, "healthy")
    assert found.exhausts_at == 5_880_000


def test_tickets_have_a_budget_of_tickets() -> None:
    found = stt.ticket_status(0.9, GoodBad(850, 150))
    assert (found.good_bad.ratio, found.budget, found.slo_state) == (0.85, bg.ErrorBudget(100, 150), "exhausted")
    assert found.account is None
    assert stt.ticket_status(0.9, GoodBad()).slo_state == "no_data"


def aim(goal: float, policy: ObjectiveUnknownPolicy) -> Objective:
    return Objective("o", "", "", "centre", "availability", goal, 28, unknown=policy)


DOWN, UP = TimeByState(0, SLOT), TimeByState(SLOT)
AIM = aim(0.5, "down")


def marks(*tallies: TimeByState, start: int = 0) -> list[TimeBucket]:
    return [
        TimeBucket(Window(start + i * SLOT, start + (i + 1) * SLOT), t) for i, t in enumerate(tallies)
    ]  # fmt: skip


def test_history_shows_each_bucket_and_the_budget_at_its_end() -> None:
    known = build_time_series(marks(UP, DOWN, UP, UP))
    steps = [hs.HistoryStep(Window(i * SLOT, (i + 1) * SLOT), Window(0, (i + 1) * SLOT)) for i in range(5)]
    found = hs.build_history(known, steps, AIM, 0)
    assert [p.good_bad.ratio for p in found] == [1, 0, 1, 1, None]
    assert [p.burn_rate for p in found] == [0, 2, 0, 0, None]
    assert [p.budget.remaining for p in found] == [150, 0, 150, 300, 300]
    assert found[4].account.open == 0
    month = hs.build_history(known, [hs.HistoryStep(steps[1].bucket, steps[1].period, 36_000)], AIM, 0)
    assert month[0].budget == bg.ErrorBudget(18_000, 300)


def test_history_names_the_time_before_the_first_contact() -> None:
    new = TimeByState(excluded=SLOT, not_in_service=SLOT)
    known = build_time_series(marks(new, new, UP))
    step = hs.HistoryStep(Window(SLOT, 3 * SLOT), Window(0, 3 * SLOT))
    point = hs.build_history(known, [step], AIM, 0)[0]
    assert (point.account.excluded, point.account.not_in_service) == (300, 300)


def test_a_dead_evening_and_the_next_dead_morning_are_one_outage() -> None:
    known = build_time_series([*marks(DOWN, UP, DOWN, DOWN), *marks(DOWN, UP, start=9 * HOUR)])
    line = build_open_timeline(c.window for c in known.buckets)
    found = hs.rank_spending(known, Window(0, 10 * HOUR), line, AIM, 0)
    assert [(s.window, s.bad_ms, s.share) for s in found] == [
        (Window(2 * SLOT, 9 * HOUR + SLOT), 3 * SLOT, 0.75),
        (Window(0, SLOT), SLOT, 0.25),
    ]
    assert found[0].time_by_state == TimeByState(0, 3 * SLOT)


def test_only_the_windows_own_cells_spend() -> None:
    known = build_time_series(marks(DOWN, DOWN, DOWN))
    line = build_open_timeline([Window(0, HOUR)])
    assert [s.bad_ms for s in hs.rank_spending(known, Window(SLOT, 2 * SLOT), line, AIM, 0)] == [SLOT]
    assert hs.rank_spending(known, Window(HOUR, 2 * HOUR), line, AIM, 0) == []


@calm
@given(cells_of_five, policies, st.integers(0, 12))
def test_spendings_add_up_to_what_was_consumed(
    found: list[TimeByState], policy: ObjectiveUnknownPolicy, cut: int
) -> None:
    known, whole = build_time_series(marks(*found)), Window(0, 12 * SLOT)
    objective = aim(0.99, policy)
    spends = hs.rank_spending(known, whole, build_open_timeline([whole]), objective, cut * SLOT)
    consumed = weigh_time(known.split_settled(whole, cut * SLOT), policy).good_bad.bad
    assert sum(s.bad_ms for s in spends) == 1000 * consumed
    assert not spends or sum(s.share for s in spends) == pytest.approx(1)
    assert [s.bad_ms for s in spends] == sorted((s.bad_ms for s in spends), reverse=True)
