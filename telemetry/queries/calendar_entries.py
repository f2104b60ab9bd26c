"""What changes the usual opening: planned maintenance, holidays, swapped days, exceptions and modes, in one list. Pure.

It must not read stores or clocks; `telemetry.core.calendar` decides what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.calendar_values import describe_hours
from telemetry.core.calendar.windows import Window, day_window, days_in
from telemetry.core.scope import COUNTRY, Scope
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.errors import BadWindow
from telemetry.queries.network import planned_maintenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.inventory import Centre, Inventory

EntryKind = Literal["maintenance", "holiday", "swap", "exception", "mode"]
MAX_WINDOW_MS = 400 * 86_400_000


@dataclass(frozen=True, slots=True, order=True)
class CalendarEntry:
    """One change over a window: planned work, or whole days with other hours; `hours` are those of the day.

    `hours` is empty for a closed day and for what is no day.  `scopes` are the centres and systems it is for, `country`
    when it is for all centres.
    """

    window: Window
    kind: EntryKind
    name: str
    hours: str
    scopes: tuple[Scope, ...]

    @property
    def is_day(self) -> bool:
        """Return whether it changes a whole day."""
        return self.kind in ("holiday", "swap", "exception")


@dataclass(frozen=True, slots=True)
class _Change:
    window: Window
    kind: EntryKind
    name: str
    hours: str


def calendar_entries(inventory: Inventory, window: Window) -> list[CalendarEntry]:
    """Return the changes that touch a window, each once, in order of time; raises BadWindow when it is too long."""
    if window.length > MAX_WINDOW_MS:
        msg = f"at most {MAX_WINDOW_MS // 86_400_000} days: use a shorter window"
        raise BadWindow(msg)
    scopes_by_change: dict[_Change, list[Scope]] = {}
    centres = declared_centres(inventory.centres.values())
    changes_by_calendar: dict[str, list[_Change]] = {}
    for centre in centres:
        version = centre.calendar.version
        if version not in changes_by_calendar:  # centres share calendars
            changes_by_calendar[version] = list(_changes_of(centre, window))
        for change in changes_by_calendar[version]:
            scopes_by_change.setdefault(change, []).append(Scope.centre(centre.id))
    for work in planned_maintenance(inventory, window):
        scopes_by_change.setdefault(_Change(work.window, "maintenance", work.name, ""), []).extend(work.scopes)
    return sorted(
        CalendarEntry(c.window, c.kind, c.name, c.hours, _shortened_scopes(scopes, len(centres)))
        for c, scopes in scopes_by_change.items()
    )


def _shortened_scopes(scopes: list[Scope], centre_count: int) -> tuple[Scope, ...]:
    """Return the scopes; all centres as one scope."""
    centres = [scope for scope in scopes if scope.kind == "centre"]
    if centre_count > 1 and len(centres) == centre_count:
        return (COUNTRY, *(scope for scope in scopes if scope.kind != "centre"))
    return tuple(scopes)


def _changes_of(centre: Centre, window: Window) -> Iterator[_Change]:
    calendar = centre.calendar
    for day in days_in(window, centre.zone):
        plan = calendar.day_plan(day)
        usual = day.weekday() < len(centre.hours) and centre.hours[day.weekday()]
        if plan.basis == "week" or (plan.basis == "holiday" and not usual):
            continue
        yield _Change(day_window(day, centre.zone), plan.basis, plan.name, describe_hours(plan.hours))
    for span in centre.rules.modes:
        if span.mode != "normal" and span.window.clip(window):
            yield _Change(span.window, "mode", span.reason or span.mode, "")
