"""Explains a centre's days and lists the maintenance that is planned; it must not read the store. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window
from telemetry.queries.errors import BadWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.calendar_values import Day
    from telemetry.core.inventory import Centre, Inventory

LONGEST_DAYS = 400


def days(centre: Centre, window: Window) -> list[Day]:
    """Explain every local day the window touches; at most LONGEST_DAYS."""
    if window.length > LONGEST_DAYS * DAY:
        msg = f"at most {LONGEST_DAYS} days: ask for a shorter window"
        raise BadWindow(msg)
    return centre.calendar.days(window)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work in one window and the scopes it touches, by id."""

    name: str
    window: Window
    scopes: tuple[str, ...]


def planned(inventory: Inventory, window: Window) -> list[Maintenance]:
    """Return the maintenance that touches the window, each time once, in order."""
    found: dict[tuple[Window, str], list[str]] = {}
    for scope, name, part in _each(inventory, window):
        found.setdefault((part, name), []).append(scope)
    return [Maintenance(name, part, tuple(scopes)) for (part, name), scopes in sorted(found.items())]


def _each(inventory: Inventory, window: Window) -> Iterator[tuple[str, str, Window]]:
    centres = ((f"centre:{ident}", c.rules.maintenance) for ident, c in sorted(inventory.centres.items()))
    systems = ((f"system:{ident}", s.maintenance) for ident, s in sorted(inventory.systems.items()))
    known: dict[int, list[Window]] = {}
    for scope, works in (*centres, *systems):
        for work in works:
            if id(work) not in known:  # centres share what is planned for all of them
                known[id(work)] = list(work.windows(window))
            windows = known[id(work)]
            yield from ((scope, work.name, part) for part in windows if part.clip(window))
