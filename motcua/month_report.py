"""Computes a month's published rows by scope and objective, and writes them as a file; it must not change totals."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from telemetry.core.calendar.windows import Window, day_window, local_ms, to_local
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.totals import CALENDAR_FIELD, Total, add_sums
from telemetry.core.in_service import is_checked
from telemetry.core.inventory import Inventory, Objective, PublishedFigures
from telemetry.core.report.values import MonthlyReport, parse_report
from telemetry.core.scope import COUNTRY, Scope
from telemetry.core.slo.evaluation import ScopedObjective, scoped_objectives
from telemetry.core.slo.periods import settled_until
from telemetry.core.slo.sli import (
    TIME_SLIS,
    GoodBad,
    apply_unknown_policy,
    good_bad_counts,
    time_sums,
    with_open_probes,
)
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.inventory.published import MONTH_PATTERN, parse_month
from telemetry.queries.publication import PublishedCorrection, find_correction
from telemetry.queries.service import Queries
from telemetry.store import Store

SETTLING_TIME = timedelta(days=7)
WORST_COUNT = 5
RowKey = tuple[str, str, str]
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
    """One settled month of a store, read entity by entity; its days must have been added with today's calendars."""

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
        """Add an entity's days; returns how many. Raises MotcuaError when they were added with another calendar."""
        days = self._store.totals([entity], "1d", self.window)
        self._check_calendar(entity, days)
        by_scope: dict[str, list[Mapping[str, int]]] = defaultdict(list)
        for total in days:
            by_scope[_sums_scope(total.scope)].append(with_open_probes(total.sums))
        self._sums |= {scope: add_sums(rows) for scope, rows in by_scope.items()}
        return len(days)

    def _check_calendar(self, entity: str, days: Iterable[Total]) -> None:
        fingerprint = self._fingerprints(entity)
        stale = {day.start for day in days if day.sums.get(CALENDAR_FIELD) not in (None, fingerprint(day.start))}
        if stale:
            day = to_local(min(stale), self._inventory.zone).date()
            problem = f"{entity}: {len(stale)} days from {day} on were added with another calendar"
            raise MotcuaError(f"{problem}; run `motcua rollup` first")

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
        centres = [Scope.centre(ident) for ident in self.entities() if ident in inventory.centres]
        systems = [Scope.system(ident) for ident in inventory.whole_systems]
        devices = [
            Scope.device(d.id)
            for d in inventory.devices.values()
            if d.kind != "replay" and d.centre in inventory.centres
        ]
        return [COUNTRY, Scope.province(inventory.province), *sorted(centres), *sorted(systems), *sorted(devices)]

    def rows(self) -> Iterator[PublishedFigures]:
        """Yield every row, plain availability first; `row_count` in all."""
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
        a = account
        parts = (a.open, a.up, a.down, a.unknown, a.excluded) if a else (0, 0, 0, 0, 0)
        return PublishedFigures(self.name, scope, objective, *parts, measure.good, measure.bad)

    def _time_account(self, scope: str, clock: str, sli: str) -> TimeByState:
        key = scope, clock, sli
        if key not in self._accounts:
            result = self._queries.availability(scope, self.window, clock=clock, sli=sli)  # type: ignore[arg-type]
            self._accounts[key] = result.overall
        return self._accounts[key]

    def _objective_row(self, scoped: ScopedObjective) -> PublishedFigures:
        """Return one objective's row; a digital system has no opening hours, only excluded maintenance."""
        objective, scope = scoped.objective, scoped.scope
        if objective.sli not in TIME_SLIS:
            return self._published_row(scope, objective.id, None, self._count_good_bad(objective, scope))
        sli = "service" if objective.sli == "availability" else "connectivity"
        by_calendar = objective.clock == "open" or scoped.centre is None
        account = self._time_account(scope, "open" if by_calendar else "wall", sli)
        _, _, elsewhere, _ = time_sums(self._sums.get(scope, {}), "1d", objective.sli, by_calendar=by_calendar)
        unpaid = min(account.unknown, elsewhere // 1000)
        tally = TimeByState(account.up, account.down, account.unknown, account.excluded, unpaid)
        measure = apply_unknown_policy(tally, objective.unknown, settled=True)
        return self._published_row(scope, objective.id, account, measure)

    def _count_good_bad(self, objective: Objective, scope: str) -> GoodBad:
        sums = self._sums.get(scope, {})
        if objective.sli == "readiness":
            return apply_unknown_policy(self._opening_days(scope, sums), objective.unknown, settled=True)
        if objective.sli == "wait":
            sums = self._sums.get(Scope.of("desk", Scope(scope).id), {})
        return GoodBad(
            *good_bad_counts(sums, objective.sli, objective.threshold_ms, "1d", by_calendar=True, is_open=True)
        )

    def _opening_days(self, scope: str, sums: FieldSums) -> TimeByState:
        """Return the opening days by state: ready, not ready, unknown."""
        calendar = self._inventory.centres[Scope(scope).id].calendar
        in_service = self._queries.service_periods().window_of(scope)
        checks = calendar.readiness_checks(self.window)
        opening_days = sum(is_checked(check_at, in_service) for _, check_at in checks)
        up, down = sums.get("ready_up", 0), sums.get("ready_down", 0)
        return TimeByState(up, down, max(0, opening_days - up - down))


def _sums_scope(scope: str) -> str:
    """Return the key of a scope's sums: all desks of a centre share one."""
    parsed = Scope(scope)
    return Scope.of("desk", parsed.centre_id) if parsed.kind == "desk" else scope


@dataclass(frozen=True, slots=True)
class MonthChanges:
    """What changes when a month is published again."""

    corrections: tuple[PublishedCorrection, ...] = ()
    added: int = 0
    removed: int = 0

    def __bool__(self) -> bool:
        return bool(self.corrections or self.added or self.removed)


def check_settled(name: str, window: Window, now: int, zone: ZoneInfo) -> None:
    """Refuse a month that is not over, or may still change. Raises MotcuaError with the first possible day."""
    if settled_until(now, zone) >= window.end:
        return
    publishable_from = to_local(window.end, zone).date() + SETTLING_TIME
    state = "is not settled yet: late data may still change it" if now >= window.end else "is not over"
    msg = f"{name} {state}; publish it from {publishable_from} on"
    raise MotcuaError(msg)


def check_folded(store: Store, name: str, window: Window) -> None:
    """Refuse a store with changes of the month that are not folded yet. Raises MotcuaError with the remedy."""
    cursor = store.cursor()
    pending = [c for c in store.changes_since(cursor + 1) if c.start < window.end and c.end > window.start]
    if cursor and not pending and store.checkpoint("fold_version") >= FOLD_VERSION:
        return
    problem = (
        f"{len(pending)} changes of {name} are not folded" if pending else "the store is not folded by this version"
    )
    msg = f"{problem}; let `motcua rollup` catch up, then publish"
    raise MotcuaError(msg)


def compute_rows(month: MonthReport, on_progress: Callable[[str, int, int], None]) -> list[PublishedFigures]:
    """Compute every row; `on_progress` gets stage, done and total. Raises MotcuaError."""
    entities = month.entities()
    days = 0
    for done, entity in enumerate(entities, start=1):
        days += month.add_entity(entity)
        on_progress("reading", done, len(entities))
    if not days:
        msg = f"the store has no totals of {month.name}: give the store that has them with --store"
        raise MotcuaError(msg)
    out: list[PublishedFigures] = []
    total = month.row_count()
    for done, row in enumerate(month.rows(), start=1):
        out.append(row)
        on_progress("adding", done, total)
    return out


def compare_rows(before: Mapping[RowKey, PublishedFigures], rows: Sequence[PublishedFigures]) -> MonthChanges:
    """Compare a month's rows with those published before."""
    now = {(row.month, row.scope, row.objective): row for row in rows}
    both = (find_correction(before[key], row) for key, row in now.items() if key in before)
    corrections = tuple(item for item in both if item is not None)
    return MonthChanges(corrections, len(now.keys() - before.keys()), len(before.keys() - now.keys()))


def read_existing(file: Path, month: str) -> Mapping[RowKey, PublishedFigures]:
    """Return the rows of a file that is to be replaced. Raises ConfigError when it is not a published month."""
    remedy = "move it away, or name another folder with --out"
    try:
        rows = parse_month(month, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(file), 0, "file", "cannot be read", remedy)]) from error
    if rows is None:
        raise ConfigError([Fault(str(file), 0, "file", "is not a published month", remedy)])
    return rows


def read_existing_report(file: Path, month: str) -> MonthlyReport | None:
    """Return the report of a file that is to be replaced, None without one. Raises ConfigError when it is none."""
    if not file.exists():
        return None
    try:
        return parse_report(month, file.read_text(encoding="utf-8"))
    except (OSError, ValueError, msgspec.DecodeError) as error:
        remedy = "restore it as it was published, or name another folder with --out"
        raise ConfigError([Fault(str(file), 0, "file", f"is not a published report: {error}", remedy)]) from error


def write_published(file: Path, text: str) -> None:
    """Write a file of a month atomically. Raises ConfigError when the folder cannot be written."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        remedy = "name a folder that you may write with --out, and put the file into the inventory's published/"
        raise ConfigError([Fault(str(file), 0, "file", f"cannot be written ({error.strerror})", remedy)]) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def worst_centres(rows: Iterable[PublishedFigures]) -> list[PublishedFigures]:
    """Return the centres with the lowest availability of known time, then the lowest coverage; at most five."""
    centres = [row for row in rows if Scope(row.scope).kind == "centre" and not row.objective and row.open]
    return sorted(centres, key=lambda row: (_ratio(row.up, row.up + row.down), _ratio(row.up, row.open)))[:WORST_COUNT]


def _ratio(part: int, total: int) -> float:
    """Return part ÷ total; 2 for a total of 0, so that it sorts last."""
    return part / total if total else 2.0
