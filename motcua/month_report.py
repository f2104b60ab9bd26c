"""What a month's published rows are: each scope's time by state, and each objective's. It must not write anything."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, time
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window, day_window, local_ms, to_local
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.totals import CALENDAR_FIELD, add_sums
from telemetry.core.inventory import PublishedFigures
from telemetry.core.slo.evaluation import scoped_objectives
from telemetry.core.slo.sli import TIME_SLIS, GoodBad, apply_unknown_policy, good_bad_counts, time_sums
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.inventory.published import MONTH_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.core.slo.evaluation import ScopedObjective
    from telemetry.queries.service import Queries
    from telemetry.store import Store

FieldSums = dict[str, int]


def month_window(text: str, zone: ZoneInfo) -> Window:
    """Return the local month `2026-10` as a window. Raises ConfigError."""
    if not MONTH_PATTERN.fullmatch(text):
        remedy = "write it like 2026-10"
        raise ConfigError([Fault("command line", 0, "MONTH", f"{text!r} is not a month", remedy)])
    year, month = int(text[:4]), int(text[5:])
    first, following = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return Window(local_ms(first, time(), zone), local_ms(following, time(), zone))


class MonthReport:
    """One settled month of a store, read unit by unit; `calendars` of what is declared now must be those it has."""

    def __init__(self, name: str, inventory: Inventory, store: Store, queries: Queries) -> None:
        self.name, self.window = name, month_window(name, inventory.zone)
        self._inventory, self._store, self._queries = inventory, store, queries
        self._scoped_objectives = scoped_objectives(inventory)
        self._sums: dict[str, FieldSums] = {}
        self._accounts: dict[tuple[str, str, str], TimeByState] = {}

    def entities(self) -> list[str]:
        """Return the centres and systems that have totals."""
        own = [ident for ident, centre in self._inventory.centres.items() if not centre.imported]
        return [*own, *self._inventory.systems]

    def add_entity(self, entity: str) -> int:
        """Add a unit's days; returns how many there are. Raises MotcuaError when another calendar is in them."""
        days = self._store.totals([entity], "1d", self.window)
        self._check_calendar(entity, days)
        by_scope: dict[str, list[Mapping[str, int]]] = defaultdict(list)
        for total in days:
            by_scope[_sums_scope(total.scope)].append(total.sums)
        self._sums |= {scope: add_sums(rows) for scope, rows in by_scope.items()}
        return len(days)

    def _check_calendar(self, entity: str, days: Iterable[Total]) -> None:
        fingerprint = self._fingerprints(entity)
        stale = {
            total.start for total in days if total.sums.get(CALENDAR_FIELD) not in (None, fingerprint(total.start))
        }
        if stale:
            day = to_local(min(stale), self._inventory.zone).date()
            msg = (
                f"{entity}: {len(stale)} days from {day} on were added with another calendar; run `motcua rollup` first"
            )
            raise MotcuaError(msg)

    def _fingerprints(self, entity: str) -> Callable[[int], int]:
        zone = self._inventory.zone
        centre = self._inventory.centres.get(entity)
        calendar = centre.calendar if centre else self._inventory.systems[entity].calendar(zone)
        cached: dict[date, int] = {}

        def fingerprint(start: int) -> int:
            day = to_local(start, zone).date()
            if day not in cached:
                cached[day] = calendar.fingerprint(day_window(day, zone))
            return cached[day]

        return fingerprint

    def plain_scopes(self) -> list[str]:
        """Return the scopes whose plain availability is published."""
        inventory = self._inventory
        centres = [f"centre:{ident}" for ident in self.entities() if ident in inventory.centres]
        systems = [f"system:{ident}" for ident in inventory.systems]
        devices = [f"device:{ident}" for ident, device in inventory.devices.items() if device.kind != "replay"]
        return ["country", f"province:{inventory.province}", *sorted(centres), *sorted(systems), *sorted(devices)]

    def rows(self) -> Iterator[PublishedFigures]:
        """Yield every row, the plain ones first; one for each of `count`."""
        for scope in self.plain_scopes():
            yield self._published_row(scope, "", self._time_account(scope, "open", "service"), GoodBad())
        for scoped in self._scoped_objectives:
            yield self._objective_row(scoped)

    def row_count(self) -> int:
        """Return how many rows there will be."""
        return len(self.plain_scopes()) + len(self._scoped_objectives)

    def _published_row(
        self, scope: str, objective: str, account: TimeByState | None, measure: GoodBad
    ) -> PublishedFigures:
        parts = (
            (account.open, account.up, account.down, account.unknown, account.excluded) if account else (0, 0, 0, 0, 0)
        )
        return PublishedFigures(self.name, scope, objective, *parts, measure.good, measure.bad)

    def _time_account(self, scope: str, clock: str, sli: str) -> TimeByState:
        key = scope, clock, sli
        if key not in self._accounts:
            result = self._queries.availability(scope, self.window, clock=clock, sli=sli)  # type: ignore[arg-type]
            self._accounts[key] = result.overall
        return self._accounts[key]

    def _objective_row(self, scoped: ScopedObjective) -> PublishedFigures:
        """Return one objective's row; a digital system has no opening hours, only maintenance that never counts."""
        objective, scope = scoped.objective, scoped.scope
        if objective.sli not in TIME_SLIS:
            return self._published_row(scope, objective.id, None, self._count_good_bad(objective, scope))
        sli = "service" if objective.sli == "availability" else "connectivity"
        by_calendar = objective.clock == "open" or scoped.centre is None
        account = self._time_account(scope, "open" if by_calendar else "wall", sli)
        _, _, elsewhere, _ = time_sums(self._sums.get(scope, {}), "1d", objective.sli, by_calendar=by_calendar)
        unpaid = min(account.unknown, elsewhere // 1000)
        tally = TimeByState(account.up, account.down, account.unknown, account.excluded, unpaid)
        return self._published_row(
            scope, objective.id, account, apply_unknown_policy(tally, objective.unknown, settled=True)
        )

    def _count_good_bad(self, objective: Objective, scope: str) -> GoodBad:
        sums = self._sums.get(scope, {})
        if objective.sli == "readiness":
            return apply_unknown_policy(self._opening_days(scope, sums), objective.unknown, settled=True)
        if objective.sli == "wait":
            sums = self._sums.get(scope.replace("centre:", "desk:"), {})
        return GoodBad(*good_bad_counts(sums, objective.sli, objective.threshold_ms))

    def _opening_days(self, scope: str, sums: FieldSums) -> TimeByState:
        """Return the opening days: ready, not ready, and those on which it is unknown."""
        opening_days = len(
            self._inventory.centres[scope.removeprefix("centre:")].calendar.readiness_checks(self.window)
        )
        up, down = sums.get("ready_up", 0), sums.get("ready_down", 0)
        return TimeByState(up, down, max(0, opening_days - up - down))


def _sums_scope(scope: str) -> str:
    """Return under which name a scope's sums are kept: all desks of a centre together."""
    return ":".join(scope.split(":")[:2]) if scope.startswith("desk:") else scope
