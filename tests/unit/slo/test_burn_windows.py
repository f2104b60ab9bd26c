"""Burn windows count open five minutes however far back they reach: recounted slot by slot, without the table."""

from __future__ import annotations

from datetime import date, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.windows import DAY, MINUTE, SLOT, Window, day_window, days_in, floor, local_ms
from telemetry.core.fold.aggregation import daily_totals, hourly_totals
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import local_date
from telemetry.core.slo.burn_rate import OPEN_CLOCK_RULES, WALL_CLOCK_RULES
from telemetry.slo.evaluator import SloEvaluator
from tests.property_sizes import sized
from tests.unit.ledger import HCM, Ledger, aim, centre, world

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from telemetry.core.inventory import Centre, Inventory

GOAL = 0.995
MONDAY = date(2026, 10, 12)
TET = MappingProxyType({MONDAY - timedelta(days=days): () for days in range(1, 10)})
"""Nine closed days before Monday."""


def at(day: date, hour: int, minute: int = 0) -> int:
    return local_ms(day, time(hour, minute), HCM)


def state(down: Collection[int]) -> Callable[[int], dict[str, int]]:
    """Return what is stored of a slot: down when its start is in `down`."""
    return lambda t: {"conn_down_ms" if t in down else "conn_up_ms": SLOT}


def fill(ledger: Ledger, place: Centre, now: int, down: Collection[int]) -> None:
    """Write 33 whole days up to now, day by day, as rollup would."""
    first = day_window(local_date(now, HCM) - timedelta(days=33), HCM).start
    for day in (day_window(d, HCM) for d in days_in(Window(first, now + 1), HCM)):
        slots = range(day.start, min(day.end, now), SLOT)
        five = [Total(place.id, f"centre:{place.id}", "5m", t, "vn83", state(down)(t)) for t in slots]
        for width, totals in (
            ("5m", five), ("1h", hourly_totals(five, place.calendar)), ("1d", daily_totals(five, day, place.calendar)),
        ):  # fmt: skip
            ledger.rows |= {(place.id, width, t.start, t.scope): t for t in totals}


def recount(place: Centre, now: int, length_ms: int, down: Collection[int], *, wall: bool = False) -> float:
    """Go back slot by slot until `length_ms` of open time is collected; return the burn rate of what was passed."""
    slot, collected, bad = floor(now, SLOT), 0, 0
    while collected < length_ms:
        slot -= SLOT
        if wall or place.calendar.open_ms(Window(slot, slot + SLOT)):
            collected += SLOT
            bad += SLOT * (slot in down)
    return bad / collected / (1 - GOAL)


def rates(watch: SloEvaluator, now: int) -> dict[str, float | None]:
    (found,) = watch.evaluate_all(now)
    return {r.rule.name: r.long_rate for r in found.status.burn_rates}


def watching(ledger: Ledger, inventory: Inventory) -> SloEvaluator:
    return SloEvaluator(ledger, lambda: inventory)  # type: ignore[arg-type]


def test_on_a_monday_morning_an_outage_of_saturday_before_the_last_sixty_open_minutes_burns_nothing() -> None:
    place, ledger = centre(), Ledger()
    saturday = MONDAY - timedelta(days=2)
    now = at(MONDAY, 7, 45)
    down = range(at(saturday, 10), at(saturday, 10, 45), SLOT)
    fill(ledger, place, now, down)
    found = rates(watching(ledger, world(aim("c", "connectivity", GOAL), centres=(place,))), now)
    assert found["page-fast"] == 0  # its 60 minutes are Saturday 10:45-11:30 and Monday 07:30-07:45
    assert found["page-slow"] == pytest.approx(45 / 240 / (1 - GOAL))


CALENDARS = {
    "week": centre(),
    "after nine closed days": centre(exceptions=TET),
    "round the clock": centre(hours=ALWAYS_OPEN),
    "nights": centre(hours=tuple(((time(22), time(6)),) for _ in range(7))),
    "mondays only": centre(hours=(((time(8), time(11)),), *(() for _ in range(6)))),
}


@pytest.mark.parametrize("name", CALENDARS)
@pytest.mark.parametrize("clock", ["open", "wall"])
@sized(4, 60)
@given(
    minutes=st.integers(0, 2 * 1440 // 5).map(lambda n: 5 * n),
    runs=st.lists(st.tuples(st.integers(1, 12 * 288), st.integers(1, 40)), min_size=1, max_size=6),
)
def test_every_rule_counts_open_five_minutes(name: str, clock: str, minutes: int, runs: list[tuple[int, int]]) -> None:
    place, ledger = CALENDARS[name], Ledger()
    now = at(MONDAY, 0) + minutes * MINUTE
    down = {floor(now, SLOT) - back * SLOT + n * SLOT for back, length in runs for n in range(length)}
    fill(ledger, place, now, down)
    inventory = world(aim("c", "connectivity", GOAL, clock=clock), centres=(place,))
    reachable = place.calendar.open_ms(Window(now - 30 * DAY, now)) if clock == "open" else 30 * DAY
    expected = {
        rule.name: pytest.approx(recount(place, now, rule.long_ms, down, wall=clock == "wall"))
        for rule in (OPEN_CLOCK_RULES if clock == "open" else WALL_CLOCK_RULES)
        if rule.long_ms <= reachable
    }
    found = rates(watching(ledger, inventory), now)
    assert {rule: rate for rule, rate in found.items() if rule in expected} == expected


@pytest.mark.parametrize("name", ["week", "after nine closed days", "mondays only"])
def test_windows_stay_exact_when_the_days_pass_and_late_data_arrive(name: str) -> None:
    place, ledger = CALENDARS[name], Ledger()
    inventory = world(aim("c", "connectivity", GOAL), aim("quiet", alert=False), centres=(place,))
    now = at(MONDAY, 8, 35) - 6 * DAY
    down = {t for t in range(now - 40 * DAY, now + 20 * DAY, SLOT) if t // SLOT % 7 == 0}
    fill(ledger, place, now, down)
    watch = watching(ledger, inventory)
    watch.evaluate_all(now)
    for _ in range(9):
        before, now = now, now + DAY + 25 * MINUTE
        ledger.write(place, Window(before, now), state(down), watch)
        late = floor(now, DAY) - 7 * DAY
        down |= {late + 3 * 60 * MINUTE}
        ledger.write(place, Window(late, late + DAY), state(down), watch)
        found = next(e for e in watch.evaluate_all(now) if e.scoped.objective.id == "c")
        for burn_rate in found.status.burn_rates:
            if burn_rate.long_start is not None and burn_rate.long_start > before - 20 * DAY:
                assert burn_rate.long_rate == pytest.approx(recount(place, now, burn_rate.rule.long_ms, down))
