"""The watch: its rows, what it remembers over a restart, calendar periods and the rules on their first day."""

from __future__ import annotations

from datetime import date, time
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, local_ms
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.live_row_types import SloNow
from telemetry.core.fold.states import RecentState, StateSegment
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Device, Inventory
from telemetry.slo.evaluator import SloEvaluator
from tests.unit.ledger import HCM, Ledger, aim, centre, world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet

    from telemetry.core.slo.burn_rate import AlarmStates
    from telemetry.core.slo.evaluation import Evaluation

CENTRE = centre()


def clock(day: int, hour: int = 0, minute: int = 0) -> int:
    """Return a moment of October 2026; the 15th is a Thursday."""
    return local_ms(date(2026, 10, day), time(hour, minute), HCM)


NOW = clock(15, 10)
UP = {"up_ms": SLOT, "conn_up_ms": SLOT, "mark_up": 1}


def down(*windows: Window) -> Callable[[int], Mapping[str, int]]:
    bad = {"down_ms": SLOT, "conn_down_ms": SLOT, "mark_down": 1}
    return lambda t: bad if any(w.start <= t < w.end for w in windows) else UP


STEADY = down()


def past(seen: Callable[[int], Mapping[str, int]] = STEADY, until: int = NOW) -> Ledger:
    ledger = Ledger()
    ledger.write(CENTRE, Window(until - 40 * DAY, until), seen)
    return ledger


class Steps:
    """Alarms that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answering: AbstractSet[str] = frozenset()

    def step(
        self, judgements: Sequence[Evaluation], now: int, answering: AbstractSet[str]
    ) -> Mapping[tuple[str, str], AlarmStates]:
        assert now
        self.answering = answering
        self.asked.append(sorted({j.scoped.objective.id for j in judgements}))
        return {}


def watching(ledger: Ledger, worlds: list[Inventory], alerts: Steps | None = None) -> SloEvaluator:
    return SloEvaluator(ledger, lambda: worlds[-1], alerts)  # type: ignore[arg-type]


def decoded(rows: Mapping[str, bytes]) -> dict[str, SloNow]:
    return {unit: msgspec.json.decode(body, type=SloNow) for unit, body in rows.items()}


def test_rows_are_written_once_a_minute_and_at_once_when_a_standing_changes() -> None:
    ledger = past()
    watch = watching(ledger, [world(aim("a"), aim("r", "readiness"))])
    assert set(watch.evaluate(NOW)) == {"slo:a", "slo:r"}
    assert watch.evaluate(NOW + 15_000) == {}
    lost = Window(clock(14, 13, 30), clock(14, 17))
    ledger.write(CENTRE, lost, down(lost), watch)
    rows = decoded(watch.evaluate(NOW + 30_000))
    assert {unit: row.scopes[0].standing for unit, row in rows.items()} == {"slo:a": "exhausted"}
    assert set(watch.evaluate(NOW + MINUTE)) == {"slo:r"}


def test_an_objective_whose_hours_wait_keeps_its_last_judgement_and_says_so() -> None:
    ledger, steps = past(), Steps()
    watch = watching(ledger, [world(aim("a"))], steps)
    first = decoded(watch.evaluate(NOW))["slo:a"]
    lost = Window(clock(14, 13, 30), clock(14, 17))
    ledger.write(CENTRE, lost, down(lost), watch)
    kept = decoded(watch.evaluate(NOW + MINUTE, unfolded={"c1"}))["slo:a"]
    assert kept.at == NOW
    assert kept.scopes == (msgspec.structs.replace(first.scopes[0], stale=True),)
    assert steps.asked[-1] == ["a"]  # its alarm goes on
    folded = decoded(watch.evaluate(NOW + 2 * MINUTE))["slo:a"]
    assert (folded.at, folded.scopes[0].standing, folded.scopes[0].stale) == (NOW + 2 * MINUTE, "exhausted", False)


def test_only_the_unit_whose_hours_wait_is_stale() -> None:
    second = centre("c2")
    ledger = past()
    ledger.write(second, Window(NOW - 40 * DAY, NOW), STEADY)
    watch = watching(ledger, [world(aim("a"), centres=(CENTRE, second))])
    watch.evaluate(NOW)
    row = decoded(watch.evaluate(NOW + MINUTE, unfolded={"c2"}))["slo:a"]
    assert row.at == NOW + MINUTE
    assert [(s.scope, s.stale, s.judged_at) for s in row.scopes] == [
        ("centre:c1", False, None), ("centre:c2", True, NOW),
    ]  # fmt: skip


def test_a_unit_that_waits_for_long_is_judged_as_far_as_it_is_folded() -> None:
    ledger = past()
    watch = watching(ledger, [world(aim("a"))])
    watch.evaluate(NOW)
    lost = Window(clock(14, 13, 30), clock(14, 17))
    ledger.write(CENTRE, lost, down(lost), watch)
    watch.evaluate(NOW + 5 * MINUTE, unfolded={"c1"})
    row = decoded(watch.evaluate(NOW + 6 * MINUTE, unfolded={"c1"}))["slo:a"]
    assert (row.scopes[0].standing, row.scopes[0].stale, row.scopes[0].judged_at) == ("exhausted", True, None)


def test_a_unit_that_waits_at_its_first_judgement_is_judged_and_marked() -> None:
    row = decoded(watching(past(), [world(aim("a"))]).evaluate(NOW, unfolded={"c1"}))["slo:a"]
    assert (row.at, row.scopes[0].standing, row.scopes[0].stale) == (NOW, "healthy", True)


def test_an_objective_that_is_declared_anew_keeps_no_judgement_of_the_former_one() -> None:
    worlds = [world(aim("a"))]
    watch = watching(past(down(Window(clock(6, 7, 30), clock(6, 8, 5)))), worlds)
    watch.evaluate(NOW)
    worlds.append(world(aim("a", goal=0.9999)))
    row = decoded(watch.evaluate(NOW + MINUTE, unfolded={"c1"}))["slo:a"]
    assert (row.at, row.scopes[0].standing) == (NOW + MINUTE, "exhausted")


def test_what_raises_no_alarm_is_judged_once_a_minute() -> None:
    steps = Steps()
    watch = watching(past(), [world(aim("a"), aim("quiet", alert=False))], steps)
    for seconds in range(0, 76, 15):
        watch.evaluate(NOW + seconds * 1000)
    assert steps.asked == [["a", "quiet"], ["a"], ["a"], ["a"], ["a", "quiet"], ["a"]]


def test_an_objective_that_is_declared_no_more_has_an_empty_row() -> None:
    ledger, worlds = past(), [world(aim("a"), aim("b"))]
    watch = watching(ledger, worlds)
    ledger.rows_now = dict(watch.evaluate(NOW))
    worlds.append(world(aim("b"), aim("c")))
    rows = decoded(watch.evaluate(NOW + MINUTE))
    assert {unit: len(row.scopes) for unit, row in rows.items()} == {"slo:a": 0, "slo:b": 1, "slo:c": 1}
    ledger.rows_now |= {unit: msgspec.json.encode(row) for unit, row in rows.items()}
    restarted = watching(ledger, [world(aim("b"))])
    assert {unit: len(row.scopes) for unit, row in decoded(restarted.evaluate(NOW + HOUR)).items()} == {
        "slo:b": 1, "slo:c": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("before", "after"), [("at_risk", "at_risk"), ("healthy", "healthy"), ("no_data", "healthy")])
def test_a_restart_keeps_the_standing_it_improves_from(before: str, after: str) -> None:
    ledger = past(down(Window(clock(6, 7, 30), clock(6, 8, 5))))
    watch = watching(ledger, [world(aim("a", goal=0.9955))])
    row = decoded(watch.evaluate(NOW))["slo:a"]
    left = 1 - 35 / (row.scopes[0].open / 60 * 0.0045)
    assert 0.20 < left < 0.25
    remembered = msgspec.structs.replace(row, scopes=(msgspec.structs.replace(row.scopes[0], standing=before),))
    ledger.rows_now = {"slo:a": msgspec.json.encode(remembered), "c1": b"{}"}
    restarted = watching(ledger, [world(aim("a", goal=0.9955))])
    assert decoded(restarted.evaluate(NOW))["slo:a"].scopes[0].standing == after


def test_a_row_of_another_shape_is_written_anew() -> None:
    ledger = past()
    ledger.rows_now = {"slo:a": b'{"slo":"a","shape":2}'}
    assert decoded(watching(ledger, [world(aim("a"))]).evaluate(NOW))["slo:a"].scopes[0].standing == "healthy"


@pytest.mark.parametrize(
    ("period", "days", "first", "following"),
    [("week", 7, clock(12), clock(19)), ("month", 31, clock(1), local_ms(date(2026, 11, 1), time(), HCM))],
)
def test_a_calendar_period_has_the_budget_of_all_its_open_time(
    period: str, days: int, first: int, following: int
) -> None:
    lost = Window(clock(14, 7, 30), clock(14, 8))
    (found,) = watching(past(down(lost)), [world(aim("a", period=period, days=days))]).evaluate_all(NOW)
    whole = CENTRE.calendar.open_ms(Window(first, following)) // 1000
    assert (found.window, found.period_open_s) == (Window(first, NOW), whole)
    assert found.status.budget.total == pytest.approx(whole * 0.005)
    assert found.status.budget.consumed == 1800


def test_the_end_of_a_budget_is_foretold_from_the_last_half_day() -> None:
    lost = Window(clock(15, 9), clock(15, 9, 5))
    found, quiet, sure = watching(
        past(down(lost)), [world(aim("a", goal=0.98), aim("q", goal=0.98, alert=False), aim("s", goal=1.0))]
    ).evaluate_all(NOW)
    error = 300 / (4 * 3600)
    left = found.status.budget.remaining / error * 1000
    assert found.status.exhausts_at is not None
    assert CENTRE.calendar.open_ms(Window(NOW, found.status.exhausts_at)) == pytest.approx(left, abs=1)
    assert (quiet.status.exhausts_at, sure.status.exhausts_at) == (None, None)


def test_on_the_first_of_a_month_the_rules_look_back_into_the_one_before() -> None:
    start = clock(1, 7, 30)
    ledger = past(down(Window(start, start + DAY)), start + 10 * MINUTE)
    contact = aim("a", "connectivity", period="month", days=31, unknown="down")
    (found,) = watching(ledger, [world(contact)]).evaluate_all(start + 10 * MINUTE)
    fast = found.status.burn_rates[0]
    assert (fast.has_full_history, fast.is_exceeded) == (True, True)
    assert fast.long_rate == pytest.approx(10 / 60 / 0.005)


def test_today_counts_for_readiness_from_ten_minutes_after_opening_and_unknown_days_by_the_policy() -> None:
    silent = Window(clock(13), clock(14))
    ready = [
        aim(word, "readiness", goal=0.9, period="week", days=7, unknown=word) for word in ("exclude", "down", "up")
    ]

    def seen(t: int) -> Mapping[str, int]:
        return {} if silent.start <= t < silent.end else UP

    ledger = past(seen, clock(15, 7, 39))
    for minute, today in ((39, 0), (40, 1)):
        now = clock(15, 7, minute)
        ledger.write(CENTRE, Window(clock(15), now), seen)
        found = watching(ledger, [world(*ready)]).evaluate_all(now)
        counted = {j.scoped.objective.id: (j.status.good_bad.good, j.status.good_bad.bad) for j in found}
        assert counted == {"exclude": (2 + today, 0), "down": (2 + today, 1), "up": (3 + today, 0)}


def test_waits_and_probes_are_counted_and_few_of_them_never_page() -> None:
    ledger = Ledger()
    objectives = (
        aim("wait", "wait", goal=0.8, threshold_ms=900_000),
        aim("fast", "latency", goal=0.95, scope="system", threshold_ms=300),
    )
    watch = watching(ledger, [world(*objectives)])
    watch.evaluate_all(NOW)
    for back, tickets in ((13 * DAY, 1), (2 * HOUR, 9), (SLOT, 9)):
        rows = [
            Total("c1", f"desk:c1:{name}", "5m", NOW - back, "vn83", {"level_good_900": 1, "level_bad_900": tickets})
            for name in ("land", "tax")
        ]
        watch.on_totals("c1", "5m", Window(NOW - back, NOW - back + SLOT), rows)
    probes = Total(
        "portal", "system:portal", "5m", NOW - SLOT, "vn83", {"latency_histogram": 3 * histogram_of(100), "probes": 5}
    )
    watch.on_totals("portal", "5m", Window(NOW - SLOT, NOW), [probes])
    waits, fast = watch.evaluate_all(NOW)
    assert (waits.status.good_bad.good, waits.status.good_bad.bad) == (4, 36)
    assert (fast.status.good_bad.good, fast.status.good_bad.bad) == (3, 2)
    assert not any(r.is_exceeded for r in (*waits.status.burn_rates, *fast.status.burn_rates))


def test_time_in_which_we_were_down_is_excluded_and_shown() -> None:
    ours = Window(clock(14, 8), clock(14, 9))

    def seen(t: int) -> Mapping[str, int]:
        return {"platform_ms": SLOT, "conn_platform_ms": SLOT} if ours.start <= t < ours.end else UP

    for found in watching(past(seen), [world(aim("a"), aim("c", "connectivity", unknown="down"))]).evaluate_all(NOW):
        account = found.status.account
        assert account is not None
        assert (account.down, account.unknown, account.excluded) == (0, 0, 3600)
        assert account.open == CENTRE.calendar.open_ms(found.window) // 1000 - 3600


def test_without_history_nothing_is_armed_and_nothing_known_is_no_data() -> None:
    (found,) = watching(Ledger(), [world(aim("a"))]).evaluate_all(NOW)
    assert not any(r.has_full_history for r in found.status.burn_rates)
    assert (found.status.good_bad.ratio, found.status.exhausts_at) == (0.0, None)
    (fresh,) = watching(Ledger(), [world(aim("a", days=7))]).evaluate_all(NOW)
    assert (fresh.status.good_bad.ratio, fresh.status.slo_state) == (None, "no_data")


def test_what_is_taken_before_the_first_mark_or_of_strangers_is_read_or_passed_over() -> None:
    ledger = past()
    watch = watching(ledger, [world(aim("a"))])
    watch.on_totals("c1", "5m", Window(NOW - SLOT, NOW), [])
    watch.on_recent_state({"centre:c1": RecentState((StateSegment(NOW - HOUR, NOW + HOUR, "up"),))})
    before = watch.evaluate_all(NOW)
    watch.on_totals(
        "stranger", "5m", Window(NOW - SLOT, NOW), [Total("stranger", "centre:c1", "5m", NOW - SLOT, "", {})]
    )
    assert watch.evaluate_all(NOW)[0].status == before[0].status


def test_a_device_is_judged_on_its_centres_clock() -> None:
    objective = aim("d", scope="device", alert=False)
    plain = world(objective)
    devices = MappingProxyType({"c1-kiosk1": Device("c1-kiosk1", "c1", "kiosk")})
    inventory = Inventory("v", "vn83", "", "", HCM, {}, plain.centres, devices, {}, {}, objectives=(objective,))
    watch = watching(Ledger(), [inventory])
    watch.evaluate_all(NOW)
    night, day = clock(15, 3), clock(15, 8)
    for t in (night, day):
        watch.on_totals("c1", "5m", Window(t, t + SLOT), [Total("c1", "device:c1-kiosk1", "5m", t, "vn83", UP)])
    (found,) = watch.evaluate_all(NOW)
    assert found.status.good_bad.good == 300


def test_alerts_are_given_which_systems_answer_at_the_moment() -> None:
    steps = Steps()
    evaluator = watching(past(), [world()], steps)
    states = {
        "system:up": StateSegment(NOW - MINUTE, NOW + MINUTE, "up"),
        "system:down": StateSegment(NOW - MINUTE, NOW + MINUTE, "down"),
        "system:silent": StateSegment(NOW - MINUTE, NOW, "up"),
        "centre:c1": StateSegment(NOW - MINUTE, NOW + MINUTE, "up"),
    }
    evaluator.on_recent_state({scope: RecentState((segment,)) for scope, segment in states.items()})
    evaluator.evaluate(NOW)
    assert steps.answering == {"up"}
