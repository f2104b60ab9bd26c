"""Every store gives the same incidents, and these lose exactly the time that availability calls down and unknown."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, SingleMaintenance
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, day_window, days_in, floor, to_ms
from telemetry.core.fold import aggregation
from telemetry.core.fold.live_row_types import CentreNow, DeviceNow, SystemNow
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, Device, Inventory, System
from telemetry.core.scope import Scope
from telemetry.queries.service import Queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.queries.incidents import IncidentList
    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
WEEKDAYS = tuple(((time(7), time(11)), (time(13), time(17))) if day < 5 else () for day in range(7))
NOW = to_ms(datetime(2026, 11, 25, 15, 2, tzinfo=ZONE))
UP, DOWN = {"up_ms": SLOT}, {"down_ms": SLOT}
SILENT: dict[str, int] = {}
PORTAL = Scope.system("portal")


def at(day: int, hour: int, minute: int = 0) -> int:
    return to_ms(datetime(2026, 11, day, hour, minute, tzinfo=ZONE))


def span(first: tuple[int, int], last: tuple[int, int]) -> Window:
    return Window(at(*first), at(*last))


WORK = Window(at(24, 9), at(24, 10))
CENTRE = Centre(
    "a", "83", "commune", "Một cửa A", "Desk A", "vn83", "", 2, WEEKDAYS, ("land",), ZONE,
    rules=CalendarRules(maintenance=(SingleMaintenance("works", WORK),)),
)  # fmt: skip
DEVICES = {f"a-{d}": Device(f"a-{d}", "a", d[:-1]) for d in ("gateway1", "kiosk1", "display1")}  # type: ignore[arg-type]
INVENTORY = Inventory(
    "v1", "vn83", "Tỉnh", "Province", ZONE, {}, {"a": CENTRE}, DEVICES, {},
    {"portal": System("portal", "Cổng", "Portal", "portal")},
)  # fmt: skip
FRIDAY_TO_MONDAY = span((20, 16), (23, 9))
STATES: dict[str, list[tuple[Window, Mapping[str, int]]]] = {
    Scope.centre("a"): [(span((24, 13), (24, 14)), DOWN)],
    Scope.device("a-gateway1"): [(Window(at(24, 12, 55), at(24, 14)), DOWN)],
    Scope.device("a-kiosk1"): [
        (FRIDAY_TO_MONDAY, DOWN), (span((24, 8), (24, 11)), DOWN), (span((25, 14), (25, 15)), DOWN),
    ],
    Scope.device("a-display1"): [(span((24, 13), (24, 16)), SILENT), (Window(at(24, 16, 30), at(24, 16, 35)), SILENT)],
    PORTAL: [(Window(at(24, 23, 50), at(25, 0, 20)), {"up_ms": 4 * MINUTE, "down_ms": MINUTE})],
}  # fmt: skip


def fill(store: Store) -> None:
    """Write slots, hours and days from 16 November up to now."""
    days = [day_window(day, ZONE) for day in days_in(Window(at(16, 0), NOW), ZONE)]
    for entity, calendar in (("a", CENTRE.calendar), ("portal", INVENTORY.systems["portal"].calendar(ZONE))):
        scopes = [scope for scope in STATES if Scope(scope).id.split("-")[0] == entity]
        slots = [
            Total(entity, scope, "5m", t, "vn83", dict(sums_at(scope, t)))
            for day in days for scope in scopes for t in range(day.start, min(day.end, floor(NOW, SLOT)), SLOT)
        ]  # fmt: skip
        always = Window(0, NOW + DAY)
        store.replace_totals(entity, "5m", always, slots)
        store.replace_totals(entity, "1h", always, aggregation.hourly_totals(slots, calendar))
        daily = [
            total
            for day in days
            for total in aggregation.daily_totals((s for s in slots if day.start <= s.start < day.end), day, calendar)
        ]
        store.replace_totals(entity, "1d", always, daily)
    write_live(store, "down")


def sums_at(scope: str, t: int) -> Mapping[str, int]:
    return next((sums for window, sums in STATES[scope] if window.start <= t < window.end), UP)


def write_live(store: Store, kiosk: str, reopened: int = 1) -> None:
    states = {"a-gateway1": "up", "a-kiosk1": kiosk, "a-display1": "up"}
    devices = tuple(DeviceNow(id=d, kind=d[2:-1], state=s) for d, s in states.items())  # type: ignore[arg-type]
    row = CentreNow(centre="a", at=NOW, state="up", last_data=NOW, devices=devices, reopened=reopened)
    portal = SystemNow(system="portal", at=NOW, state="up", reopened=reopened)
    store.put_live_rows({"a": msgspec.json.encode(row), "portal": msgspec.json.encode(portal)})


def shown(answer: IncidentList) -> list[tuple[str, Window, str, str, bool, list[str]]]:
    return [
        (i.outage.scope, i.outage.window, i.state, i.cause, i.ongoing, [m.scope for m in i.members])
        for i in answer.incidents
    ]


@pytest.fixture
def queries(store: Store) -> tuple[Queries, Store, list[int]]:
    clock = [NOW]
    fill(store)
    return Queries(store, lambda: INVENTORY, lambda: clock[0]), store, clock


def test_a_tuesday_is_listed_in_full(queries: tuple[Queries, Store, list[int]]) -> None:
    asked, _, _ = queries
    tuesday = asked.incidents.incidents("country", span((24, 0), (25, 0)))
    assert shown(tuesday) == [
        ("device:a-kiosk1", span((24, 8), (24, 11)), "down", "device", False, []),
        ("centre:a", span((24, 13), (24, 14)), "down", "device", False, ["device:a-gateway1"]),
        ("system:portal", Window(at(24, 23, 50), at(25, 0, 20)), "down", "probes", False, []),
        ("device:a-display1", span((24, 13), (24, 16)), "unknown", "silence", False, []),
    ]
    kiosk, centre, portal, display = tuesday.incidents
    assert (kiosk.lost.down_ms, kiosk.lost.unknown_ms) == (2 * HOUR, 0), "not the hour of maintenance"
    assert (centre.lost.down_ms, display.lost.unknown_ms) == (HOUR, 3 * HOUR)
    assert (portal.lost.down_ms, portal.outage.whole.down_ms) == (2 * MINUTE, 6 * MINUTE)


def test_an_outage_over_a_weekend_is_one_and_known_on_each_of_its_days(
    queries: tuple[Queries, Store, list[int]],
) -> None:
    asked, _, _ = queries
    for first, last, lost in (((20, 0), (21, 0), HOUR), ((23, 0), (24, 0), 2 * HOUR), ((16, 0), (24, 0), 3 * HOUR)):
        (one,) = asked.incidents.incidents("device:a-kiosk1", span(first, last)).incidents
        assert (one.outage.window, one.lost.down_ms, one.outage.whole.down_ms) == (FRIDAY_TO_MONDAY, lost, 3 * HOUR)
    assert asked.incidents.incidents("country", span((21, 0), (23, 0))).incidents == ()


def test_an_incident_goes_on_until_the_live_row_shows_it_up(queries: tuple[Queries, Store, list[int]]) -> None:
    asked, store, clock = queries
    today = span((25, 0), (26, 0))
    first = asked.incidents.incidents("centre:a", today).incidents[0]
    assert (first.outage.window, first.ongoing) == (span((25, 14), (25, 15)), True)
    clock[0] += 2000
    write_live(store, "up")
    ended = asked.incidents.incidents("centre:a", today).incidents[0]
    assert (ended.outage.window, ended.ongoing) == (span((25, 14), (25, 15)), False)


def test_the_time_lost_is_what_availability_calls_down_and_unknown(queries: tuple[Queries, Store, list[int]]) -> None:
    asked, _, _ = queries
    for window in (span((24, 0), (25, 0)), span((20, 0), (26, 0)), Window(at(24, 9, 35), at(24, 13, 20))):
        for scope in STATES:
            seconds = asked.availability(scope, window).overall
            answer = asked.incidents.incidents(scope, window)
            parts = [o for i in answer.incidents for o in (i.outage, *i.members) if o.scope == scope]
            lost = [outage.lost_within(window) for outage in parts]
            assert sum(part.down_ms for part in lost) == seconds.down * 1000, (scope, window)
            left_out = 5 * MINUTE if scope.endswith("display1") and window.end > at(24, 16, 30) else 0
            assert sum(part.unknown_ms for part in lost) == seconds.unknown * 1000 - left_out, (scope, window)


def test_late_data_correct_a_past_day_that_was_asked_before(queries: tuple[Queries, Store, list[int]]) -> None:
    asked, store, clock = queries
    tuesday = span((24, 0), (25, 0))
    assert len(asked.incidents.incidents("device:a-display1", tuesday).incidents) == 1
    for width in ("5m", "1h", "1d"):
        totals = store.totals(["a"], width, tuesday)
        up = {"up_ms": SLOT, "open_up_ms": 8 * HOUR}
        others = [t for t in totals if "display1" not in t.scope]
        own = [Total("a", t.scope, width, t.start, "vn83", up) for t in totals if "display1" in t.scope]
        store.replace_totals("a", width, tuesday, [*others, *own])
    assert len(asked.incidents.incidents("device:a-display1", tuesday).incidents) == 1, "nothing says so yet"
    clock[0] += 2000
    write_live(store, "down", reopened=2)
    assert asked.incidents.incidents("device:a-display1", tuesday).incidents == ()
