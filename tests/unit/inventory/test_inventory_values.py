"""Declared values: opening hours with exceptions and midnight, indexes, targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType

import pytest

from telemetry.core.calendar.windows import HOUR, Window, day_window, to_ms
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Device, Inventory, OpeningHours, Target, local_date
from tests.unit.days import CENTRE, ZONE

MORNING, AFTERNOON = (time(7, 30), time(11, 30)), (time(13, 30), time(17))
WEEK: tuple[OpeningHours, ...] = (*(((MORNING, AFTERNOON),) * 5), (MORNING,), ())
MONDAY, SATURDAY, SUNDAY = date(2026, 3, 2), date(2026, 3, 7), date(2026, 3, 8)
DAY = 24 * HOUR


def centre(hours: tuple[OpeningHours, ...] = WEEK, exceptions: dict[date, OpeningHours] | None = None) -> Centre:
    return replace(CENTRE, hours=hours, exceptions=MappingProxyType(exceptions or {}))


def ms(day: date, hour: int, minute: int = 0) -> int:
    return to_ms(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE))


def open_hours(where: Centre, day: date) -> float:
    return sum(w.length for w in where.open_windows(day_window(day, ZONE))) / HOUR


def test_a_working_day_is_open_for_seven_and_a_half_hours() -> None:
    assert open_hours(centre(), MONDAY) == 7.5
    assert open_hours(centre(), SATURDAY) == 4
    assert open_hours(centre(), SUNDAY) == 0


def test_four_weeks_are_open_for_166_hours() -> None:
    start = day_window(MONDAY, ZONE).start
    assert sum(w.length for w in centre().open_windows(Window(start, start + 28 * DAY))) == 166 * HOUR


def test_an_exception_wins_over_the_week() -> None:
    where = centre(exceptions={MONDAY: (), SUNDAY: (MORNING,)})
    assert open_hours(where, MONDAY) == 0
    assert open_hours(where, SUNDAY) == 4


def test_opening_windows_are_clipped_to_what_was_asked() -> None:
    asked = Window(ms(MONDAY, 11), ms(MONDAY, 14))
    assert centre().open_windows(asked) == [
        Window(ms(MONDAY, 11), ms(MONDAY, 11, 30)),
        Window(ms(MONDAY, 13, 30), ms(MONDAY, 14)),
    ]


def test_hours_past_midnight_belong_to_the_day_they_began_on() -> None:
    night: tuple[OpeningHours, ...] = (((time(22), time(2)),), *(((),) * 6))
    assert centre(night).is_open(ms(date(2026, 3, 3), 1, 59))
    assert not centre(night).is_open(ms(date(2026, 3, 3), 2))
    assert not centre(night).is_open(ms(MONDAY, 21, 59))


def test_always_open_is_one_window() -> None:
    asked = Window(ms(MONDAY, 3), ms(SUNDAY, 4))
    assert centre(ALWAYS_OPEN).open_windows(asked) == [asked]


@pytest.mark.parametrize(
    ("hour", "minute", "is_open"), [(7, 29, False), (7, 30, True), (11, 30, False), (16, 59, True)]
)
def test_opening_is_half_open(hour: int, minute: int, is_open: bool) -> None:
    assert centre().is_open(ms(MONDAY, hour, minute)) is is_open


def test_the_next_change_is_the_next_opening_or_closing() -> None:
    assert centre().next_opening_change(ms(MONDAY, 7)) == ms(MONDAY, 7, 30)
    assert centre().next_opening_change(ms(MONDAY, 7, 30)) == ms(MONDAY, 11, 30)
    assert centre().next_opening_change(ms(SATURDAY, 12)) == ms(date(2026, 3, 9), 7, 30)


def test_a_centre_that_never_changes_has_no_next_change() -> None:
    assert centre(ALWAYS_OPEN).next_opening_change(ms(MONDAY, 7)) is None
    assert centre(((),) * 7).next_opening_change(ms(MONDAY, 7)) is None


def test_a_change_exactly_two_weeks_ahead_is_still_named() -> None:
    later = date(2026, 3, 16)
    where = centre(((),) * 7, {later: ((time(8), time(9)),)})
    assert where.next_opening_change(ms(MONDAY, 8)) == ms(later, 8)
    assert where.next_opening_change(ms(MONDAY, 8) - 1) is None


def inventory() -> Inventory:
    devices = [Device(f"vn83-1-{name}", "vn83-1", "kiosk") for name in ("kiosk2", "kiosk1")]
    targets = [
        Target("wait", "Chờ", "Wait", value, "s", date(year, 12, 31)) for year, value in ((2025, 900), (2023, 1200))
    ]
    return Inventory(
        version="1",
        province="83",
        name_vi="Bến Tre",
        name_en="Ben Tre",
        zone=ZONE,
        units={},
        centres={"vn83-1": centre()},
        devices={d.id: d for d in devices},
        services={},
        systems={},
        targets=tuple(targets),
    )


def test_a_device_is_known_only_with_its_own_centre() -> None:
    assert inventory().is_declared("vn83-1", "vn83-1-kiosk1")
    assert not inventory().is_declared("vn83-2", "vn83-1-kiosk1")
    assert not inventory().is_declared("vn83-1", "vn83-1-kiosk3")


def test_devices_come_in_order_of_id() -> None:
    assert [d.id for d in inventory().devices_of("vn83-1")] == ["vn83-1-kiosk1", "vn83-1-kiosk2"]
    assert inventory().devices_of("vn83-2") == ()


@pytest.mark.parametrize(("year", "value"), [(2022, 1200), (2023, 1200), (2024, 900), (2030, 900)])
def test_the_target_in_force_is_the_first_not_passed_else_the_last(year: int, value: int) -> None:
    found = inventory().target_in_force("wait", date(year, 12, 31))
    assert found is not None
    assert found.value == value


def test_an_unknown_target_is_none() -> None:
    assert inventory().target_in_force("other", MONDAY) is None


def test_the_local_day_begins_at_local_midnight() -> None:
    assert local_date(to_ms(datetime(2026, 3, 1, 17, tzinfo=UTC)), ZONE) == MONDAY
    assert local_date(to_ms(datetime(2026, 3, 1, 16, 59, tzinfo=UTC)), ZONE) == date(2026, 3, 1)
