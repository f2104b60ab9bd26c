"""Explains a centre's days and lists the maintenance that is planned; it must not read the store. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.calendar_values import CalendarDay
    from telemetry.core.inventory import Centre, Inventory

MAX_DAYS = 400


def explain_days(centre: Centre, window: Window) -> list[CalendarDay]:
    """Explain every local day the window touches; at most LONGEST_DAYS."""
    if window.length > MAX_DAYS * DAY:
        msg = f"at most {MAX_DAYS} days: ask for a shorter window"
        raise BadWindow(msg)
    return centre.calendar.explain_days(window)


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """Planned work in one window and the scopes it touches, by id."""

    name: str
    window: Window
    scopes: tuple[str, ...]


def planned_maintenance(inventory: Inventory, window: Window) -> list[MaintenanceWindow]:
    """Return the maintenance that touches the window, each time once, in order."""
    scopes_by_work: dict[tuple[Window, str], list[str]] = {}
    for scope, name, part in _iter_maintenance(inventory, window):
        scopes_by_work.setdefault((part, name), []).append(scope)
    return [MaintenanceWindow(name, part, tuple(scopes)) for (part, name), scopes in sorted(scopes_by_work.items())]


def _iter_maintenance(inventory: Inventory, window: Window) -> Iterator[tuple[str, str, Window]]:
    centres = ((f"centre:{ident}", c.rules.maintenance) for ident, c in sorted(inventory.centres.items()))
    systems = ((f"system:{ident}", s.maintenance) for ident, s in sorted(inventory.systems.items()))
    windows_by_work: dict[int, list[Window]] = {}
    for scope, works in (*centres, *systems):
        for work in works:
            if id(work) not in windows_by_work:  # centres share what is planned for all of them
                windows_by_work[id(work)] = list(work.windows_in(window))
            windows = windows_by_work[id(work)]
            yield from ((scope, work.name, part) for part in windows if part.clip(window))
