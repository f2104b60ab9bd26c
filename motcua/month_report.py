"""What a month's published rows are: each scope's time by state, and each objective's. It must not write anything."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, time
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, at, day_window, local_ms
from telemetry.core.fold.totals import CALENDAR_FIELD, add
from telemetry.core.inventory import Published
from telemetry.core.slo.aims import aims
from telemetry.core.slo.cells import TIME, count_values, time_values
from telemetry.core.slo.measures import Measure, measured
from telemetry.core.slo.readiness import ready_marks
from telemetry.core.slo.sli import Tally
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.inventory.published import MONTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.accounting import Account
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.core.slo.evaluation import Aimed
    from telemetry.queries import Queries
    from telemetry.store import Store

Sums = dict[str, int]


def window_of(text: str, zone: ZoneInfo) -> Window:
    """Return the local month `2026-10` as a window. Raises ConfigError."""
    if not MONTH.fullmatch(text):
        remedy = "write it like 2026-10"
        raise ConfigError([Fault("command line", 0, "MONTH", f"{text!r} is not a month", remedy)])
    year, month = int(text[:4]), int(text[5:])
    first, following = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return Window(local_ms(first, time(), zone), local_ms(following, time(), zone))


class Month:
    """One settled month of a store, read unit by unit; `calendars` of what is declared now must be those it has."""

    def __init__(self, name: str, world: Inventory, store: Store, queries: Queries) -> None:
        self.name, self.window = name, window_of(name, world.zone)
        self._world, self._store, self._queries = world, store, queries
        self._aims = aims(world)
        self._sums: dict[str, Sums] = {}
        self._accounts: dict[tuple[str, str, str], Account] = {}

    def units(self) -> list[str]:
        """Return the centres and systems that have totals."""
        own = [ident for ident, centre in self._world.centres.items() if not centre.imported]
        return [*own, *self._world.systems]

    def read(self, unit: str) -> int:
        """Add a unit's days; returns how many there are. Raises MotcuaError when another calendar is in them."""
        days = self._store.totals([unit], "1d", self.window)
        self._check(unit, days)
        by_scope: dict[str, list[Mapping[str, int]]] = defaultdict(list)
        for total in days:
            by_scope[_kept(total.scope)].append(total.sums)
        self._sums |= {scope: add(rows) for scope, rows in by_scope.items()}
        return len(days)

    def _check(self, unit: str, days: Iterable[Total]) -> None:
        stamp = self._stamps(unit)
        stale = {total.start for total in days if total.sums.get(CALENDAR_FIELD) not in (None, stamp(total.start))}
        if stale:
            day = at(min(stale), self._world.zone).date()
            msg = f"{unit}: {len(stale)} days from {day} on were added with another calendar; run `motcua rollup` first"
            raise MotcuaError(msg)

    def _stamps(self, unit: str) -> Callable[[int], int]:
        zone = self._world.zone
        centre = self._world.centres.get(unit)
        calendar = centre.calendar if centre else self._world.systems[unit].calendar(zone)
        known: dict[date, int] = {}

        def stamp(start: int) -> int:
            day = at(start, zone).date()
            if day not in known:
                known[day] = calendar.stamp(day_window(day, zone))
            return known[day]

        return stamp

    def plain(self) -> list[str]:
        """Return the scopes whose plain availability is published."""
        world = self._world
        centres = [f"centre:{ident}" for ident in self.units() if ident in world.centres]
        systems = [f"system:{ident}" for ident in world.systems]
        devices = [f"device:{ident}" for ident, device in world.devices.items() if device.kind != "replay"]
        return ["country", f"province:{world.province}", *sorted(centres), *sorted(systems), *sorted(devices)]

    def rows(self) -> Iterator[Published]:
        """Yield every row, the plain ones first; one for each of `count`."""
        for scope in self.plain():
            yield self._row(scope, "", self._account(scope, "open", "service"), Measure())
        for aimed in self._aims:
            yield self._aimed(aimed)

    def count(self) -> int:
        """Return how many rows there will be."""
        return len(self.plain()) + len(self._aims)

    def _row(self, scope: str, objective: str, found: Account | None, counted: Measure) -> Published:
        parts = (found.total, found.up, found.down, found.unknown, found.excluded) if found else (0, 0, 0, 0, 0)
        return Published(self.name, scope, objective, *parts, counted.good, counted.bad)

    def _account(self, scope: str, clock: str, sli: str) -> Account:
        key = scope, clock, sli
        if key not in self._accounts:
            asked = self._queries.availability(scope, self.window, clock=clock, sli=sli)  # type: ignore[arg-type]
            self._accounts[key] = asked.whole
        return self._accounts[key]

    def _aimed(self, aimed: Aimed) -> Published:
        """Return one objective's row; a digital system has no opening hours, only maintenance that never counts."""
        one, scope = aimed.objective, aimed.scope
        if one.sli not in TIME:
            return self._row(scope, one.id, None, self._counted(one, scope))
        sli = "service" if one.sli == "availability" else "connectivity"
        by_calendar = one.clock == "open" or aimed.centre is None
        found = self._account(scope, "open" if by_calendar else "wall", sli)
        _, _, elsewhere, _ = time_values(self._sums.get(scope, {}), "1d", one.sli, by_calendar=by_calendar)
        unpaid = min(found.unknown, elsewhere // 1000)
        tally = Tally(found.up, found.down, found.unknown, found.excluded, unpaid)
        return self._row(scope, one.id, found, measured(tally, one.unknown, settled=True))

    def _counted(self, one: Objective, scope: str) -> Measure:
        sums = self._sums.get(scope, {})
        if one.sli == "readiness":
            return measured(self._days(scope, sums), one.unknown, settled=True)
        if one.sli == "wait":
            sums = self._sums.get(scope.replace("centre:", "desk:"), {})
        return Measure(*count_values(sums, one.sli, one.threshold_ms))

    def _days(self, scope: str, sums: Sums) -> Tally:
        """Return the opening days: ready, not ready, and those on which it is unknown."""
        opened = len(ready_marks(self._world.centres[scope.removeprefix("centre:")].calendar, self.window))
        up, down = sums.get("ready_up", 0), sums.get("ready_down", 0)
        return Tally(up, down, max(0, opened - up - down))


def _kept(scope: str) -> str:
    """Return under which name a scope's sums are kept: all desks of a centre together."""
    return ":".join(scope.split(":")[:2]) if scope.startswith("desk:") else scope
