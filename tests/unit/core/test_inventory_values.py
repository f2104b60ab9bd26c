"""What the inventory's values answer themselves: the desks' opening, a centre's devices, the target in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, SingleMaintenance
from telemetry.core.calendar.windows import Window, to_ms
from telemetry.core.inventory import Centre, Device, Inventory, OpeningHours, Target, local_date

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MORNING: OpeningHours = ((time(7), time(11, 30)),)
WEEK: tuple[OpeningHours, ...] = (*(MORNING for _ in range(5)), (), ())
CLOSED: OpeningHours = ()
CENTRE = Centre("vn83-a", "83", "commune", "An", "An", "vn83", "", 4, WEEK, ("land",), ZONE)


def local(day: int, hour: int, minute: int = 0) -> int:
    return to_ms(datetime(2026, 11, day, hour, minute, tzinfo=ZONE))


@pytest.mark.parametrize(
    ("t", "is_open"),
    [
        (local(23, 7) - 1, False), (local(23, 7), True), (local(23, 11, 30) - 1, True), (local(23, 11, 30), False),
        (local(22, 9), False),
    ],
)  # fmt: skip
def test_the_desks_are_open_from_the_first_to_before_the_last_ms(t: int, is_open: bool) -> None:
    assert CENTRE.is_open(t) is is_open


def test_maintenance_closes_no_desk() -> None:
    work = CalendarRules(maintenance=(SingleMaintenance("Thay tủ mạng", Window(local(23, 8), local(23, 9))),))
    centre = replace(CENTRE, rules=work)
    day = Window(local(23, 0), local(24, 0))
    assert centre.is_open(local(23, 8, 30))
    assert centre.open_windows(day) == [Window(local(23, 7), local(23, 8)), Window(local(23, 9), local(23, 11, 30))]
    assert CENTRE.open_windows(day) == [Window(local(23, 7), local(23, 11, 30))]


@pytest.mark.parametrize(
    ("t", "change"),
    [
        (local(23, 6), local(23, 7)), (local(23, 7), local(23, 11, 30)), (local(23, 11, 30), local(24, 7)),
        (local(27, 12), local(30, 7)),
    ],
)  # fmt: skip
def test_the_next_change_is_after_now(t: int, change: int) -> None:
    assert CENTRE.next_opening_change(t) == change


def test_a_change_beyond_14_days_is_none() -> None:
    closed = MappingProxyType({date(2026, 11, day): CLOSED for day in range(9, 24)})
    assert replace(CENTRE, exceptions=closed).next_opening_change(local(9, 6)) is None
    assert replace(CENTRE, exceptions=closed).next_opening_change(local(10, 7)) == local(24, 7)


def inventory(**other: object) -> Inventory:
    devices = [Device("vn83-a-kiosk1", "vn83-a", "kiosk"), Device("vn83-a-gateway1", "vn83-a", "gateway")]
    empty = Inventory("v1", "vn83", "Tỉnh", "Province", ZONE, {}, {}, {d.id: d for d in devices}, {}, {})
    return replace(empty, **other)  # type: ignore[arg-type]


def test_devices_are_indexed_by_centre_in_order_of_id() -> None:
    found = inventory()
    assert [d.id for d in found.devices_of("vn83-a")] == ["vn83-a-gateway1", "vn83-a-kiosk1"]
    assert found.devices_of("vn83-b") == ()


@pytest.mark.parametrize(
    ("centre", "device", "is_declared"),
    [("vn83-a", "vn83-a-kiosk1", True), ("vn83-b", "vn83-a-kiosk1", False), ("vn83-a", "vn83-a-kiosk2", False)],
)
def test_a_device_is_declared_at_its_own_centre_only(centre: str, device: str, is_declared: bool) -> None:
    assert inventory().is_declared(centre, device) is is_declared


def test_the_target_in_force_is_the_first_whose_date_has_not_passed() -> None:
    later, sooner = (
        Target("wait_mean", "Chờ", "Wait", value, "s", date(year, 12, 31))
        for value, year in ((900, 2025), (1800, 2022))
    )
    found = inventory(targets=(later, sooner))
    assert found.target_in_force("wait_mean", date(2022, 12, 31)) == sooner
    assert found.target_in_force("wait_mean", date(2023, 1, 1)) == later
    assert found.target_in_force("wait_mean", date(2026, 1, 1)) == later
    assert found.target_in_force("rank", date(2023, 1, 1)) is None


def test_the_local_date_is_that_of_the_zone() -> None:
    assert local_date(local(23, 0), ZONE) == date(2026, 11, 23)
    assert local_date(local(23, 0), ZoneInfo("UTC")) == date(2026, 11, 22)


def test_a_service_that_the_centre_does_not_declare_is_shown_as_undeclared_except_of_an_import() -> None:
    assert [CENTRE.shown_service(name) for name in ("land", "tax", "undeclared")] == [
        "land",
        "undeclared",
        "undeclared",
    ]
    assert replace(CENTRE, imported=True).shown_service("tax") == "tax"
