"""The tree of units: what lies within what, also when a parent is missing or the parents form a circle."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from telemetry.core.administrative_tree import is_within, unit_at_level, units_of_level
from telemetry.core.inventory import AdministrativeUnit, Inventory
from tests.unit.inventories import inventory

_SINCE = date(2020, 6, 1)


@pytest.fixture
def world() -> Inventory:
    units = (
        AdministrativeUnit("83", "province", "", "Tỉnh Bến Tre", _SINCE),
        AdministrativeUnit("831", "district", "83", "Huyện Châu Thành", _SINCE),
        AdministrativeUnit("829", "district", "83", "Thành phố Bến Tre", _SINCE),
        AdministrativeUnit("28756", "commune", "829", "Phường Phú Khương", _SINCE),
        AdministrativeUnit("1", "commune", "2", "Xã Một", _SINCE),
        AdministrativeUnit("2", "commune", "1", "Xã Hai", _SINCE),
    )
    return replace(inventory("vn83", {}, {}), units={unit.code: unit for unit in units})


def test_a_commune_lies_within_its_district_and_its_province(world: Inventory) -> None:
    assert [is_within("28756", code, world) for code in ("28756", "829", "83", "831")] == [True, True, True, False]
    assert unit_at_level("28756", "district", world) == "829"
    assert unit_at_level("829", "district", world) == "829"


def test_a_province_and_an_unknown_unit_have_no_district(world: Inventory) -> None:
    assert [unit_at_level(code, "district", world) for code in ("83", "nowhere", "")] == ["", "", ""]


def test_parents_in_a_circle_end(world: Inventory) -> None:
    assert unit_at_level("1", "district", world) == ""
    assert is_within("1", "2", world)
    assert not is_within("1", "83", world)


def test_the_units_of_a_level_are_listed_by_code(world: Inventory) -> None:
    assert [unit.code for unit in units_of_level("district", world)] == ["829", "831"]
