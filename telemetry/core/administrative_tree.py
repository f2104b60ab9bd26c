"""The tree of administrative units: which unit lies within which. Pure; it must not read files or stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import AdministrativeLevel, AdministrativeUnit, Inventory


def units_above(code: str, inventory: Inventory) -> Iterator[str]:
    """Yield a unit's code and those of the units that it lies within; each once, whatever the parents are."""
    passed: set[str] = set()
    while code and code not in passed:
        passed.add(code)
        yield code
        unit = inventory.units.get(code)
        code = "" if unit is None else unit.parent


def is_within(code: str, ancestor: str, inventory: Inventory) -> bool:
    """Return whether a unit is another one or lies within it."""
    return ancestor in units_above(code, inventory)


def unit_at_level(code: str, level: AdministrativeLevel, inventory: Inventory) -> str:
    """Return the code of the unit of a level that a unit is or lies within; empty without one."""
    units = ((above, inventory.units.get(above)) for above in units_above(code, inventory))
    return next((above for above, unit in units if unit is not None and unit.level == level), "")


def units_of_level(level: AdministrativeLevel, inventory: Inventory) -> tuple[AdministrativeUnit, ...]:
    """Return the units of a level by code."""
    return tuple(unit for _, unit in sorted(inventory.units.items()) if unit.level == level)
