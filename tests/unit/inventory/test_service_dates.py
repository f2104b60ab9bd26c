"""Dates of service in centres.csv, devices.csv and systems.toml: read at local midnight, checked with their line."""

from __future__ import annotations

import re
from datetime import date, time
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import local_ms
from telemetry.core.inventory import DeclaredPeriod
from telemetry.errors import InventoryError
from telemetry.inventory import load
from tests.unit.inventory.test_inventory import SMALL, ZONE

if TYPE_CHECKING:
    from pathlib import Path


def dated_folder(folder: Path, centre: str, device: str, system: str = "") -> Path:
    """Return the small inventory with these dates (`from,to`) of its first centre and its gateway, and of a system."""
    for name, text in SMALL.items():
        lines = text.splitlines()
        dates = {"centres.csv": centre, "devices.csv": device}.get(name)
        if dates is not None:
            lines = [f"{lines[0]},from,to", f"{lines[1]},{dates}", *(f"{line},," for line in lines[2:])]
        if name == "systems.toml":
            lines.append(system)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("centre", "device", "place", "problem"),
    [
        ("2026-03-01,2026-03-01", ",", "centres.csv:2: to:", "2026-03-01 is not after 2026-03-01"),
        (",", "2026-05-02,2026-05-01", "devices.csv:2: to:", "2026-05-01 is not after 2026-05-02"),
        ("2026-03-01,", "2026-02-28,", "devices.csv:2: from:", "is before its centre is in service"),
        (",2026-03-01", "2026-03-01,", "devices.csv:2: from:", "is after its centre's service has ended"),
        (",2026-03-01", ",2026-03-02", "devices.csv:2: to:", "is after its centre's service has ended"),
        ("2026-03-01,", ",2026-03-01", "devices.csv:2: to:", "is before its centre is in service"),
        ("soon,", ",", "centres.csv:2: from:", "soon is not a date"),
    ],
)
def test_dates_that_contradict_each_other_are_faults(
    tmp_path: Path, centre: str, device: str, place: str, problem: str
) -> None:
    with pytest.raises(InventoryError, match=re.escape(place)) as refused:
        load(dated_folder(tmp_path, centre, device))
    assert problem in str(refused.value)


def test_dates_begin_at_local_midnight(tmp_path: Path) -> None:
    found = load(dated_folder(tmp_path, "2026-03-01,2027-01-01", "2026-04-01,", "from = 2026-02-01"))
    march, april, new_year = (
        local_ms(day, time(), ZONE) for day in (date(2026, 3, 1), date(2026, 4, 1), date(2027, 1, 1))
    )
    assert found.centres["vn83-83"].declared_period == DeclaredPeriod(march, new_year)
    assert found.devices["vn83-83-gateway1"].declared_period == DeclaredPeriod(april)
    assert found.devices["vn83-83-kiosk1"].declared_period == DeclaredPeriod()
    assert found.systems["vn-ngsp"].declared_period == DeclaredPeriod(local_ms(date(2026, 2, 1), time(), ZONE))
