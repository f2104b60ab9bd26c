"""A province rolled out in steps, on each store: no budget is spent for time before a centre is in service."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window, local_ms
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.inventory import DeclaredPeriod, Device, Inventory, Objective, System
from telemetry.core.protocol import events as ev
from telemetry.core.scope import Scope
from telemetry.queries.service import Queries
from telemetry.rollup.service import Rollup
from telemetry.slo.evaluator import SloEvaluator
from telemetry.store import Batch, ChangeRecord, Store, StoredEvent
from tests.unit.inventories import ZONE, centre

if TYPE_CHECKING:
    from tests.contract.conftest import Opener

FIRST = date(2026, 10, 12)
"""A Monday; c0 joins on it at nine, c1 and c2 on the two days after; c3 is never heard."""
WORKDAY = ((time(8), time(16)),)
NOW = local_ms(date(2026, 10, 22), time(12), ZONE)
"""Ten days later: the three days are settled, and what was unknown in them counts as bad."""


def world(*, c2_from: int | None = None) -> Inventory:
    centres, devices = {}, {}
    for number in range(4):
        ident = f"vn83-c{number}"
        period = DeclaredPeriod(c2_from) if number == 2 else DeclaredPeriod()
        centres[ident] = replace(centre(ident, "vn83"), hours=(WORKDAY,) * 7, declared_period=period)
        for kind in ("kiosk", "counter"):
            devices[f"{ident}-{kind}1"] = Device(f"{ident}-{kind}1", ident, kind, every_ms=600_000)
    objectives = (
        Objective("open", "", "", "centre", "availability", 0.98, 28, unknown="down"),
        Objective("reached", "", "", "device", "availability", 0.95, 28, unknown="down"),
        Objective("ready", "", "", "centre", "readiness", 0.9, 28, unknown="down"),
        Objective("month", "", "", "centre", "availability", 0.98, 28, period="month", unknown="down"),
        Objective("systems", "", "", "system", "availability", 0.98, 28, unknown="down"),
    )
    systems = {"vn83-portal": System("vn83-portal", "P", "P", "portal", vantage=("vn83-c0-kiosk1", "vn83-c3-kiosk1"))}
    return Inventory("v1", "vn83", "T", "T", ZONE, {}, centres, devices, {}, systems, objectives=objectives)


class RollOut:
    """A store that is filled as a roll-out fills it, one day after the other."""

    def __init__(self, store: Store) -> None:
        self.store, self.now, self.inventory = store, day_window(FIRST, ZONE).start, world()
        self.queries = Queries(store, lambda: self.inventory, lambda: self.now)
        self.start()

    def start(self) -> None:
        """Begin a rollup, as after a restart."""
        self.evaluator = SloEvaluator(self.store, lambda: self.inventory)
        self.rollup = Rollup(self.store, lambda: self.inventory, lambda: self.now, self.evaluator, lambda: 0.0)

    def beat(self, number: int, start: int, end: int, kinds: tuple[str, ...] = ("kiosk", "counter")) -> None:
        """Every ten minutes each device of a centre reports that it is in service."""
        ident = f"vn83-c{number}"
        stored = [
            StoredEvent(ident, f"{ident}-{kind}1", "01S", ev.DeviceHeartbeat(n=t // MINUTE, t=t, every_ms=600_000))
            for t in range(start, end, 10 * MINUTE)
            for kind in kinds
        ]
        cells = dirty_hours((ident, s.event) for s in stored)
        self.store.append(Batch(self.now * 1000, stored, [ChangeRecord(*cell) for cell in cells]))

    def run(self) -> None:
        """Fold until nothing is left."""
        for _ in range(60):
            self.now += 1_000
            self.rollup.run_once()
            if not self.rollup._progress.has_queued():
                break

    def roll_out(self) -> None:
        """Day by day: who is in service reports all of each working day; each centre joins on its first at nine."""
        for offset in range(11):
            day = day_window(date.fromordinal(FIRST.toordinal() + offset), ZONE)
            for number in range(min(offset + 1, 3)):
                joined = HOUR if number == offset else 0
                self.beat(number, day.start + 8 * HOUR + joined, min(day.start + 16 * HOUR, NOW))
            if offset in (2, 10):
                self.now = min(day.end, NOW)
                self.run()

    def budgets(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return good and bad by objective and scope."""
        rows = self.evaluator.evaluate_all(NOW)
        return {
            (e.scoped.objective.id, str(e.scoped.scope)): (e.status.good_bad.good, e.status.good_bad.bad) for e in rows
        }

    def seconds(self, scope: str, day: date) -> dict[str, int]:
        time_by_state = self.queries.availability(scope, day_window(day, ZONE)).overall
        names = ("open", "up", "down", "unknown", "excluded", "not_in_service")
        return {name: getattr(time_by_state, name) for name in names}


@pytest.fixture
def roll_out(reopen: Opener) -> RollOut:
    made = RollOut(reopen())
    made.roll_out()
    return made


def test_no_budget_is_spent_for_days_before_and_none_by_who_was_never_heard(roll_out: RollOut) -> None:
    budgets = roll_out.budgets()
    assert {key: bad for key, (_, bad) in budgets.items() if bad} == {}
    days = {number: 11 - number for number in range(3)}
    for number, worked in days.items():
        # The first morning begins at nine, the last day ends at noon.
        seconds = (worked * 8 - 1 - 4) * 3600
        assert budgets["open", f"centre:vn83-c{number}"] == (seconds, 0)
        assert budgets["reached", f"device:vn83-c{number}-counter1"] == (seconds, 0)
        assert budgets["month", f"centre:vn83-c{number}"] == (seconds, 0)
        assert budgets["ready", f"centre:vn83-c{number}"] == (worked - 1, 0)
    assert budgets["open", "centre:vn83-c3"] == budgets["ready", "centre:vn83-c3"] == (0, 0)
    assert budgets["systems", "system:vn83-portal"] == (0, 0)


def test_the_api_figures_leave_it_out_and_say_why(roll_out: RollOut) -> None:
    workday, tuesday = 8 * 3600, date.fromordinal(FIRST.toordinal() + 1)
    before = {"open": 0, "up": 0, "down": 0, "unknown": 0, "excluded": workday, "not_in_service": workday}
    joined = {"open": workday - 3600, "up": workday - 3600, "down": 0, "unknown": 0, "excluded": 3600,
              "not_in_service": 3600}  # fmt: skip
    for scope in ("centre:vn83-c1", "device:vn83-c1-kiosk1"):
        assert roll_out.seconds(scope, FIRST) == before
        assert roll_out.seconds(scope, tuesday) == joined
    assert roll_out.seconds("centre:vn83-c3", tuesday) == before
    province = roll_out.seconds("province:vn83", tuesday)
    assert province == {"open": 2 * workday - 3600, "up": 2 * workday - 3600, "down": 0, "unknown": 0,
                        "excluded": 2 * workday + 3600, "not_in_service": 2 * workday + 3600}  # fmt: skip
    wall = roll_out.queries.availability("centre:vn83-c1", day_window(FIRST, ZONE), clock="wall").overall
    assert (wall.open, wall.not_in_service) == (0, DAY // 1000)
    slots = roll_out.queries.availability("centre:vn83-c1", day_window(tuesday, ZONE), "5m").rows
    assert sum(time_by_state.not_in_service for _, time_by_state in slots) == 3600
    (day,) = roll_out.queries.calendar_days("vn83-c1", day_window(tuesday, ZONE))
    assert [(part.cause, part.window.length) for part in day.excluded] == [("not_in_service", HOUR)]
    capacity = [note.capacity for note in roll_out.queries.availability("centre:vn83-c1", day.window).notes]
    assert capacity == [(1.0, 1.0)]


def test_history_and_timeline_leave_it_out(roll_out: RollOut) -> None:
    week = Window(day_window(FIRST, ZONE).start, day_window(FIRST, ZONE).start + 3 * DAY)
    slo_query = roll_out.queries.scoped_slo("open", "centre:vn83-c1")
    points = roll_out.queries.slo_history(slo_query, week, "1d")
    assert [(p.account.open, p.good_bad.bad) for p in points] == [(0, 0), (7 * 3600, 0), (8 * 3600, 0)]
    assert roll_out.queries.budget_spending(slo_query, week) == ()
    ready = roll_out.queries.slo_history(roll_out.queries.scoped_slo("ready", "centre:vn83-c1"), week, "1d")
    assert [(p.good_bad.good, p.good_bad.bad) for p in ready] == [(0, 0), (0, 0), (1, 0)]
    segments = roll_out.queries.timeline(Scope.centre("vn83-c1"), Window(week.start + DAY, week.start + 2 * DAY))
    kinds = [(s.kind.state, s.kind.cause, s.window.length // HOUR) for s in segments if s.kind.state != "closed"]
    assert kinds == [("excluded", "not_in_service", 1), ("up", "", 7)]


def test_older_data_that_come_late_move_the_start_back_and_correct_the_totals(roll_out: RollOut) -> None:
    tuesday = day_window(date.fromordinal(FIRST.toordinal() + 1), ZONE)
    roll_out.beat(2, tuesday.start + 10 * HOUR, tuesday.start + 12 * HOUR, ("kiosk",))
    roll_out.run()
    assert roll_out.seconds("device:vn83-c2-kiosk1", FIRST)["not_in_service"] == 8 * 3600
    late = roll_out.seconds("device:vn83-c2-kiosk1", date.fromordinal(FIRST.toordinal() + 1))
    assert (late["not_in_service"], late["up"], late["open"]) == (2 * 3600, 2 * 3600 + 630, 6 * 3600)
    assert roll_out.budgets()["reached", "device:vn83-c2-counter1"][1] == 0
    assert roll_out.budgets()["open", "centre:vn83-c2"][1] > 0


def test_a_declared_date_wins_and_edits_what_was_folded_also_after_a_restart(roll_out: RollOut) -> None:
    friday = day_window(date.fromordinal(FIRST.toordinal() + 4), ZONE)
    roll_out.inventory = world(c2_from=friday.start)
    roll_out.start()
    roll_out.run()
    assert roll_out.seconds("centre:vn83-c2", date.fromordinal(FIRST.toordinal() + 3)) == {
        "open": 0, "up": 0, "down": 0, "unknown": 0, "excluded": 8 * 3600, "not_in_service": 8 * 3600,
    }  # fmt: skip
    assert roll_out.budgets()["open", "centre:vn83-c2"] == ((7 * 8 - 4) * 3600, 0)
    roll_out.inventory = world()
    roll_out.run()
    assert roll_out.budgets()["open", "centre:vn83-c2"] == ((9 * 8 - 1 - 4) * 3600, 0)


def test_a_store_of_an_earlier_version_has_its_first_contacts_derived_from_totals(
    roll_out: RollOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = roll_out.budgets()
    monkeypatch.setattr(roll_out.store, "live_rows", lambda after=0: [])  # noqa: ARG005
    monkeypatch.setattr(roll_out.store, "events", lambda *_: [])
    roll_out.start()
    periods = roll_out.rollup._contact_log
    periods.follow_inventory()
    tuesday = day_window(date.fromordinal(FIRST.toordinal() + 1), ZONE)
    assert periods.periods.window_of("centre:vn83-c1").start == tuesday.start + 9 * HOUR
    assert periods.periods.window_of("centre:vn83-c3").length == 0
    assert roll_out.budgets() == before
