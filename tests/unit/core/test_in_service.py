"""When things are in service: declared dates win over first contacts, and only whole slots of the period count."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, strategies as st

from telemetry.core.calendar.calendar_values import END_OF_TIME_MS
from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, day_window
from telemetry.core.contacts import ContactsNow
from telemetry.core.fold.fold import fold_centre, fold_system
from telemetry.core.fold.live_row_types import decode_rows
from telemetry.core.fold.states import StateSegment, clip, join
from telemetry.core.fold.totals import add_sums
from telemetry.core.in_service import (
    ALL_IN_SERVICE,
    ALWAYS_IN_SERVICE,
    NEVER_IN_SERVICE,
    Membership,
    ServicePeriod,
    ServicePeriods,
    changed_windows,
    covers,
    is_checked,
    memberships,
    service_periods,
)
from telemetry.core.inventory import ALWAYS_OPEN, DeclaredPeriod, Device, Inventory, System, local_date
from telemetry.core.protocol import events as ev
from telemetry.core.slo.timeseries import TimeSeries, bucket_layout, build_grid
from tests.unit.days import DESK, GATEWAY, KIOSK, NEXT_DESK, REPLAY, SECOND, beats, contacts, ms, said, status
from tests.unit.inventories import centre

if TYPE_CHECKING:
    from telemetry.core.fold.sourced_event import SourcedEvent

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
T = ms(8)
"""A first contact on a slot boundary."""


def world(**dates: DeclaredPeriod) -> Inventory:
    """A centre with two kiosks and a replay, a log's centre, and a system; `dates` by what they are for."""
    homes = {"c1": replace(centre("c1", "vn83"), declared_period=dates.get("centre", DeclaredPeriod()))}
    homes["log"] = replace(centre("log", ""), imported=True)
    devices = [
        Device("c1-kiosk1", "c1", "kiosk", declared_period=dates.get("kiosk1", DeclaredPeriod())),
        Device("c1-kiosk2", "c1", "kiosk", declared_period=dates.get("kiosk2", DeclaredPeriod())),
        Device("c1-replay1", "c1", "replay"),
        Device("log-replay1", "log", "replay"),
    ]
    system = System("vn-ngsp", "N", "N", "platform", declared_period=dates.get("system", DeclaredPeriod()))
    by_id = {device.id: device for device in devices}
    return Inventory("v1", "vn83", "T", "T", ZONE, {}, homes, by_id, {}, {"vn-ngsp": system})


def periods(inventory: Inventory, **heard: dict[str, int]) -> ServicePeriods:
    """Periods when these entities have records of contacts: a record without a device is of one never heard."""
    return service_periods(inventory, {name: ContactsNow(entity=name, first=first) for name, first in heard.items()})


def test_a_first_contact_begins_the_service_of_device_and_centre_and_the_next_mark_begins_its_time() -> None:
    found = periods(world(), c1={"c1-kiosk1": T + MINUTE})
    assert found.period_of("device:c1-kiosk1") == ServicePeriod(T + MINUTE)
    assert found.window_of("device:c1-kiosk1") == Window(T + SLOT, END_OF_TIME_MS)
    assert found.live_window_of("device:c1-kiosk1") == Window(T + MINUTE, END_OF_TIME_MS)
    assert found.period_of("centre:c1") == ServicePeriod(T + MINUTE)
    assert found.period_of("device:c1-kiosk2").phase_at(T) == "awaiting"
    assert found.window_of("device:c1-kiosk2") == NEVER_IN_SERVICE


def test_a_centre_of_which_nobody_was_heard_is_not_in_service_and_a_store_without_records_is() -> None:
    assert periods(world(), c1={}).period_of("centre:c1") == ServicePeriod(None)
    assert periods(world()).window_of("centre:c1") == ALWAYS_IN_SERVICE
    assert periods(world()).window_of("device:c1-kiosk1") == ALWAYS_IN_SERVICE
    assert ALL_IN_SERVICE.window_of("centre:other") == ALL_IN_SERVICE.live_window_of("centre:other")


def test_declared_dates_win_over_contacts() -> None:
    declared = world(kiosk1=DeclaredPeriod(T + DAY, T + 3 * DAY))
    found = periods(declared, c1={"c1-kiosk1": T}).period_of("device:c1-kiosk1")
    assert found == ServicePeriod(T + DAY, T + 3 * DAY)
    assert [found.phase_at(t) for t in (T, T + DAY, T + 3 * DAY)] == ["planned", "in_service", "retired"]
    assert periods(declared, c1={}).period_of("centre:c1").start == T + DAY


def test_devices_are_in_service_within_their_centre() -> None:
    declared = world(centre=DeclaredPeriod(T, T + 9 * DAY), kiosk2=DeclaredPeriod(T + DAY, T + 2 * DAY))
    found = periods(declared, c1={"c1-kiosk1": T - DAY})
    assert found.period_of("centre:c1") == ServicePeriod(T, T + 9 * DAY)
    assert found.period_of("device:c1-kiosk1") == ServicePeriod(T, T + 9 * DAY)
    assert found.period_of("device:c1-kiosk2") == ServicePeriod(T + DAY, T + 2 * DAY)


def test_a_centre_ends_with_the_last_of_its_devices() -> None:
    ended = {"kiosk1": DeclaredPeriod(T, T + DAY), "kiosk2": DeclaredPeriod(T, T + 2 * DAY)}
    assert periods(world(**ended), c1={}).period_of("centre:c1") == ServicePeriod(T, T + 2 * DAY)
    ended["kiosk2"] = DeclaredPeriod(T)
    assert periods(world(**ended), c1={}).period_of("centre:c1") == ServicePeriod(T)


def test_a_system_is_in_service_from_its_first_probe_or_its_declared_date() -> None:
    assert periods(world(), **{"vn-ngsp": {"g2": T, "g1": T + 1}}).period_of("system:vn-ngsp") == ServicePeriod(T)
    declared = world(system=DeclaredPeriod(T, T + DAY))
    assert periods(declared, **{"vn-ngsp": {}}).period_of("system:vn-ngsp") == ServicePeriod(T, T + DAY)


def test_an_imported_log_is_in_service_over_its_range() -> None:
    row = ContactsNow(entity="log", first={"log-replay1": T}, last={"log-replay1": T + DAY + 1})
    found = service_periods(world(), {"log": row})
    assert found.window_of("centre:log") == Window(T, T + DAY + SLOT)
    elsewhere = ContactsNow(entity="other", first={"other-replay1": T}, last={"other-replay1": T + DAY})
    assert service_periods(world(), {"other": elsewhere}).window_of("centre:other") == Window(T, T + DAY)
    assert service_periods(world(), {"other": ContactsNow(entity="other")}).window_of("centre:other") == (
        ALWAYS_IN_SERVICE
    )


def test_a_connection_counts_from_the_first_one_however_old_the_data_that_it_brings() -> None:
    row = ContactsNow(
        entity="c1", first={"c1-kiosk1": T, "c1-kiosk2": T}, connected={"c1-kiosk1": T + DAY, "c1-replay1": T}
    )
    found = service_periods(world(), {"c1": row})
    assert found.connectivity_window_of("device:c1-kiosk1") == Window(T + DAY, END_OF_TIME_MS)
    assert found.connectivity_window_of("centre:c1") == Window(T + DAY, END_OF_TIME_MS)
    assert found.connectivity_window_of("device:c1-kiosk2") == NEVER_IN_SERVICE
    assert found.connectivity_window_of("system:vn-ngsp") == ALWAYS_IN_SERVICE
    declared = service_periods(world(centre=DeclaredPeriod(T), kiosk1=DeclaredPeriod(T)), {"c1": row})
    assert declared.connectivity_window_of("centre:c1") == Window(T, END_OF_TIME_MS)
    assert declared.connectivity_window_of("device:c1-kiosk1") == Window(T, END_OF_TIME_MS)


def test_contact_with_a_centre_is_possible_from_the_first_word_of_any_device_but_a_replay() -> None:
    declared = world(centre=DeclaredPeriod(T - DAY), kiosk1=DeclaredPeriod(T - DAY))
    heard = periods(declared, c1={"c1-kiosk1": T + 7, "c1-kiosk2": T + HOUR, "c1-replay1": T - HOUR})
    assert heard.contact_window_of("centre:c1") == Window(T + 7, END_OF_TIME_MS)
    assert periods(declared, c1={}).contact_window_of("centre:c1") == NEVER_IN_SERVICE
    assert periods(declared).contact_window_of("centre:c1") == ALWAYS_IN_SERVICE


def test_a_period_that_is_empty_is_never() -> None:
    assert ServicePeriod(T, T).window == NEVER_IN_SERVICE
    assert not covers(NEVER_IN_SERVICE, Window(T, T + 1))


def test_a_day_is_checked_when_the_centre_opened_in_service() -> None:
    assert is_checked(T + SLOT, Window(T, END_OF_TIME_MS))
    assert not is_checked(T + SLOT, Window(T + SLOT, END_OF_TIME_MS))
    assert not is_checked(T + SLOT, Window(0, T + SLOT))


def test_members_change_where_a_service_begins_or_ends() -> None:
    in_service = {"a": Window(T, END_OF_TIME_MS), "b": Window(0, T + HOUR)}
    assert memberships(["a", "b", "c"], in_service, Window(T - HOUR, T + 2 * HOUR)) == [
        Membership(Window(0, T), ("b", "c")),
        Membership(Window(T, T + HOUR), ("a", "b", "c")),
        Membership(Window(T + HOUR, END_OF_TIME_MS), ("a", "c")),
    ]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (NEVER_IN_SERVICE, Window(T, END_OF_TIME_MS), [Window(T, T + DAY)]),
        (Window(T, END_OF_TIME_MS), Window(T - HOUR, END_OF_TIME_MS), [Window(T - HOUR, T)]),
        (Window(T, END_OF_TIME_MS), Window(T, T + HOUR), [Window(T + HOUR, T + DAY)]),
        (Window(T, END_OF_TIME_MS), Window(T, END_OF_TIME_MS), []),
        (NEVER_IN_SERVICE, Window(T + 2 * DAY, END_OF_TIME_MS), []),
    ],
)
def test_what_a_change_of_period_changes(before: Window, after: Window, changed: list[Window]) -> None:
    assert changed_windows(before, after, T + DAY) == changed


def test_contacts_are_read_among_live_rows() -> None:
    rows = [("contacts:c1", b'{"entity":"c1","first":{"d":5}}'), ("contacts:c2", b"[]"), ("c1", b"{}")]
    assert decode_rows(rows, ContactsNow) == {"c1": ContactsNow(entity="c1", first={"d": 5})}


# --- in a fold --------------------------------------------------------------------------------


def in_service(**starts: int) -> ServicePeriods:
    scopes = {f"device:vn83-1-{name}": ServicePeriod(start) for name, start in starts.items()}
    return ServicePeriods({**scopes, "centre:vn83-1": ServicePeriod(min(starts.values()))})


def hour_sums(
    devices: tuple[Device, ...], events: list[ev.Event], service: ServicePeriods
) -> dict[str, dict[str, int]]:
    home = replace(centre("vn83-1", "vn83"), id="vn83-1")
    totals = fold_centre(home, devices, events, Window(T, T + HOUR), (), service)  # type: ignore[arg-type]
    names = {total.scope for total in totals}
    return {name: add_sums(total.sums for total in totals if total.scope == name) for name in names}


def hour_of(device: Device) -> list[ev.Event]:
    return [e for minute in range(60) for e in beats(T + minute * MINUTE, device=device)]  # type: ignore[misc]


def test_a_counter_that_joins_later_is_no_member_before() -> None:
    events = hour_of(DESK)
    joined = in_service(counter1=T, counter2=T + 30 * MINUTE)
    sums = hour_sums((DESK, NEXT_DESK), events, joined)
    assert sums["centre:vn83-1"]["up_ms"] == 30 * MINUTE
    assert sums["centre:vn83-1"]["cap_low_ms"] == 30 * MINUTE + 15 * MINUTE
    assert (
        hour_sums((DESK, NEXT_DESK), events, in_service(counter1=T, counter2=T + DAY))["centre:vn83-1"]["up_ms"] == HOUR
    )


def test_what_a_device_reports_before_its_service_counts_nowhere() -> None:
    sums = hour_sums((KIOSK,), hour_of(KIOSK), in_service(kiosk1=T + 20 * MINUTE))
    assert sums["device:vn83-1-kiosk1"]["up_ms"] == sums["centre:vn83-1"]["up_ms"] == 40 * MINUTE
    assert hour_sums((KIOSK,), hour_of(KIOSK), in_service(kiosk1=T + DAY)) == {}


def test_silent_devices_prove_a_dead_link_only_while_two_are_in_service() -> None:
    joined = in_service(kiosk1=T, kiosk2=T + 40 * MINUTE)
    assert hour_sums((KIOSK, SECOND), [], joined)["centre:vn83-1"]["link_ms"] == 20 * MINUTE


def test_a_vantage_point_votes_only_in_service() -> None:
    system = System("s", "S", "S", "portal", quorum=2, vantage=("vn83-1-gateway1", "vn83-1-kiosk1"))
    probe = ev.ProbeResult(n=1, t=T, system="s", kind="http", ok=True, every_ms=3_600_000)
    service = ServicePeriods({"device:vn83-1-kiosk1": ServicePeriod(T + 30 * MINUTE)})
    totals = fold_system(system, "vn83", [said(probe, GATEWAY)], Window(T, T + HOUR), (), service)
    assert sum(total.sums["up_ms"] for total in totals) == 30 * MINUTE
    none = ServicePeriods({"system:s": ServicePeriod(None)})
    rows = fold_system(system, "vn83", [said(probe, GATEWAY)], Window(T, T + HOUR), (), none)
    assert sum(total.sums["up_ms"] + total.sums["probes"] for total in rows) == 1


def test_reports_of_a_vantage_point_count_only_while_it_is_in_service() -> None:
    system = System("s", "S", "S", "portal", vantage=("vn83-1-gateway1",))
    reports: list[SourcedEvent] = []
    for minute in range(60):
        at, n = T + minute * MINUTE, 2 * minute + 1
        slow = ev.ProbeResult(n=n, t=at, system="s", kind="http", ok=minute % 2 == 0, latency_ms=100.0)
        used = ev.ConnectorStats(n=n + 1, t=at, system="s", ok=9, failed=1, period_ms=MINUTE)
        reports += [said(slow, GATEWAY), said(used, GATEWAY)]
    service = ServicePeriods({"device:vn83-1-gateway1": ServicePeriod(T + 20 * MINUTE + 1, T + 40 * MINUTE)})
    for vantage in (system.vantage, ()):
        probed = replace(system, vantage=vantage)
        sums = add_sums(t.sums for t in fold_system(probed, "vn83", reports, Window(T, T + HOUR), (), service))
        counted = {
            name: sums[name] for name in ("probes", "probes_ok", "latency_sum_ms", "connector_ok", "connector_failed")
        }
        assert counted == {
            "probes": 19, "probes_ok": 9, "latency_sum_ms": 900, "connector_ok": 171, "connector_failed": 19,
        }  # fmt: skip


def test_a_replay_alone_is_its_centre() -> None:
    assert hour_sums((REPLAY,), [], ServicePeriods({"device:vn83-1-replay1": ServicePeriod(None)})) == {}


def test_the_connection_of_an_import_is_in_no_total_even_within_the_time_of_its_log() -> None:
    log = ServicePeriods({scope: ServicePeriod(T, T + HOUR) for scope in ("centre:vn83-1", "device:vn83-1-replay1")})
    ends = [status(T, online=True, device=REPLAY), status(T + 2 * MINUTE, online=False, device=REPLAY)]
    connection: list[Any] = [*contacts(T, T + MINUTE, device=REPLAY), *ends]
    assert hour_sums((REPLAY,), connection, log) == {}
    without = hour_sums((KIOSK,), [], ALL_IN_SERVICE)
    assert hour_sums((REPLAY, KIOSK), connection, ALL_IN_SERVICE) == without


def test_segments_are_cut_and_joined() -> None:
    rows = [StateSegment(0, 5, "up"), StateSegment(5, 9, "up"), StateSegment(10, 20, "down")]
    assert join(clip(rows, Window(3, 15))) == [StateSegment(3, 9, "up"), StateSegment(10, 15, "down")]


def test_a_calendar_day_says_what_of_it_was_not_in_service() -> None:
    calendar = Calendar((((time(8), time(16)),),) * 7, ZONE)
    (day,) = calendar.explain_days(day_window(local_date(T, ZONE), ZONE))
    opening = day.open[0]
    assert day.within(ALWAYS_IN_SERVICE) is day
    joined = day.within(Window(opening.start + HOUR, END_OF_TIME_MS))
    assert joined.open == (Window(opening.start + HOUR, opening.end),)
    assert [(part.cause, part.window.length) for part in joined.excluded] == [("not_in_service", HOUR)]


# --- in figures -------------------------------------------------------------------------------


def series_of_days() -> TimeSeries:
    """Ten days of wall-clock buckets, each with a third up and a third down."""
    today = local_date(T, ZONE)
    spans = bucket_layout(ZONE, local_date(T - 12 * DAY, ZONE), today, ())
    calendar = Calendar(ALWAYS_OPEN, ZONE)
    extent = Window(spans[0][1].start, spans[-1][1].end)
    grid = build_grid(spans, build_open_timeline(calendar.open_windows(extent)), build_open_timeline(()))
    series = TimeSeries(grid, 4)
    for index, window in enumerate(grid.windows):
        series.set_bucket(index, (window.length // 3, window.length // 3, 0, 0))
    return series


SERIES = series_of_days()
SPAN = Window(SERIES.grid.windows[0].start, SERIES.grid.windows[-1].end)


@given(
    st.integers(SPAN.start // SLOT - 400, SPAN.end // SLOT + 400),
    st.integers(0, 6000),
    st.integers(0, len(SERIES.grid) - 1),
    st.integers(1, len(SERIES.grid)),
)
@example(SPAN.start // SLOT + 5, 6 * DAY // SLOT, 0, len(SERIES.grid))
@example(SPAN.end // SLOT + 5, 1, 0, len(SERIES.grid))
def test_time_in_and_out_of_service_tiles_any_range(start: int, length: int, first: int, count: int) -> None:
    last = min(len(SERIES.grid), first + count)
    service = Window(start * SLOT, (start + length) * SLOT)
    whole = Window(SERIES.grid.windows[first].start, SERIES.grid.windows[last - 1].end)
    time = SERIES.time_by_state(first, last, service)
    part = whole.clip(service)
    assert time.not_in_service == time.excluded == whole.length - (part.length if part else 0)
    assert time.open + time.excluded >= whole.length
    inside = [w for w in SERIES.grid.windows[first:last] if covers(service, w)]
    assert time.up >= sum(w.length // 3 for w in inside)


@given(st.integers(0, 12 * DAY // SLOT))
def test_moving_the_start_changes_no_second_after_it(offset: int) -> None:
    start = SPAN.start + offset * SLOT
    later = max(day_window(local_date(start, ZONE), ZONE).end, start)
    assert SERIES.time_within(Window(later, SPAN.end), Window(start, END_OF_TIME_MS)) == SERIES.time_within(
        Window(later, SPAN.end)
    )
