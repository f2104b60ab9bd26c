"""Watches objectives while rollup works: keeps the book, judges at each mark, hands on to the alarms, makes live rows.

It must not fold and never reads raw events.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

import msgspec

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.fold.live_row_types import SLO_ROW_PREFIX, SloNow
from telemetry.core.slo.aims import scoped_objectives
from telemetry.core.slo.periods import settled_until
from telemetry.slo.objective_evaluation import EvaluationContext, evaluate_objective
from telemetry.slo.rows import build_slo_row
from telemetry.slo.totals_loading import load_table
from telemetry.slo.totals_table import empty_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.states import RecentState
    from telemetry.core.fold.totals import Total
    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alarms import AlarmStates
    from telemetry.core.slo.budget import SloState
    from telemetry.core.slo.evaluation import Evaluation, ScopedObjective
    from telemetry.slo.totals_table import TotalsTable
    from telemetry.slo.watcher import AlarmProcessor
    from telemetry.store import Store

ROW_INTERVAL_MS = MINUTE
_UNWRITTEN_ROW = (0, b"")
"""A row that nobody has written since the start."""


class NullAlarmProcessor:
    """Alarms that nobody raises."""

    def step(self, evaluations: Sequence[Evaluation], now: int) -> Mapping[tuple[str, str], AlarmStates]:
        """Return none."""
        del evaluations, now
        return {}


class SloEvaluator:
    """A `Watcher` of every objective that the inventory declares."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], alarm_processor: AlarmProcessor | None = None
    ) -> None:
        self._store, self._inventory = store, inventory
        self._alarm_processor: AlarmProcessor = alarm_processor or NullAlarmProcessor()
        self._table: TotalsTable | None = None
        self._scoped_objectives: tuple[ScopedObjective, ...] = ()
        self._last_complete_at = 0
        """When everything was judged for the last time, also what raises no alarm."""
        self._recent_states: dict[str, RecentState] = {}
        self._slo_states: dict[tuple[str, str], SloState] = {}
        self._written_rows: dict[str, tuple[int, bytes]] = {}

    def on_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Keep what was written; before the first mark the book is not open yet and will read it from the store."""
        if self._table is not None:
            self._table.apply_totals(entity, width, window, totals)

    def on_recent_state(self, entity: str, recent_states: Mapping[str, RecentState]) -> None:
        """Keep what is believed of the present."""
        del entity
        self._recent_states.update(recent_states)

    def evaluate(self, now: int, *, is_ingest_silent: bool = False) -> Mapping[str, bytes]:
        """Judge at `now` (Unix ms) what raises alarms, and everything once a minute; returns rows that say news."""
        table = self._current_table(now)
        is_complete = not 0 <= now - self._last_complete_at < ROW_INTERVAL_MS
        self._last_complete_at = now if is_complete else self._last_complete_at
        evaluations = self._evaluate_objectives(
            table,
            [a for a in self._scoped_objectives if is_complete or a.objective.alert],
            now,
            is_ingest_silent=is_ingest_silent,
        )
        alarms = self._alarm_processor.step(evaluations, now)
        return self._changed_rows(evaluations, alarms, now)

    def evaluate_all(self, now: int) -> list[Evaluation]:
        """Return all judgements at `now`."""
        return self._evaluate_objectives(self._current_table(now), self._scoped_objectives, now)

    def _evaluate_objectives(
        self, table: TotalsTable, selected: Sequence[ScopedObjective], now: int, *, is_ingest_silent: bool = False
    ) -> list[Evaluation]:
        context = EvaluationContext(
            now, settled_until(now, table.inventory.zone), self._recent_states, is_ingest_silent=is_ingest_silent
        )
        evaluations = []
        for scoped in selected:
            key = (scoped.objective.id, scoped.scope)
            previous = self._slo_states.get(key, "no_data")
            evaluation = evaluate_objective(
                scoped, table.entry_of(scoped), context, previous, table.readiness[scoped.entity]
            )
            self._slo_states[key] = evaluation.status.slo_state
            evaluations.append(evaluation)
        return evaluations

    def _current_table(self, now: int) -> TotalsTable:
        """Return the book of today's inventory and today's day; what an earlier one tells is not read again."""
        inventory, table = self._inventory(), self._table
        if table is None or table.inventory is not inventory:
            self._restore_states()
        elif table.covers(now):
            return table
        objectives = scoped_objectives(inventory)
        new_table = empty_table(inventory, objectives, now)
        load_table(new_table, self._store, table)
        self._table, self._scoped_objectives, self._last_complete_at = new_table, objectives, 0
        return new_table

    def _restore_states(self) -> None:
        """Take standings, for their hysteresis, from the rows that an earlier rollup wrote; each is written anew."""
        for live in self._store.live_rows():
            saved_row = _decode_slo_row(live.body) if live.entity.startswith(SLO_ROW_PREFIX) else None
            for scope in saved_row.scopes if saved_row else ():
                self._written_rows.setdefault(live.entity.removeprefix(SLO_ROW_PREFIX), _UNWRITTEN_ROW)
                key = (live.entity.removeprefix(SLO_ROW_PREFIX), scope.scope)
                self._slo_states.setdefault(key, cast("SloState", scope.standing))

    def _changed_rows(
        self, evaluations: Sequence[Evaluation], alarms: Mapping[tuple[str, str], AlarmStates], now: int
    ) -> dict[str, bytes]:
        by_objective: dict[str, list[Evaluation]] = defaultdict(list)
        for evaluation in evaluations:
            by_objective[evaluation.scoped.objective.id].append(evaluation)
        settled = settled_until(now, self._inventory().zone)
        declared = {scoped.objective.id for scoped in self._scoped_objectives}
        removed_rows = {
            slo: SloNow(slo=slo, at=now, settled_until=settled) for slo in self._written_rows if slo not in declared
        }
        rows = {slo: build_slo_row(slo, group, alarms, settled) for slo, group in by_objective.items()} | removed_rows
        changed = {slo: r for slo, r in rows.items() if self._has_changed(r, now)}
        for slo in removed_rows:
            self._written_rows.pop(slo)
        return {f"{SLO_ROW_PREFIX}{slo}": msgspec.json.encode(r) for slo, r in changed.items()}

    def _has_changed(self, slo_row: SloNow, now: int) -> bool:
        written_at, digest = self._written_rows.get(slo_row.slo, _UNWRITTEN_ROW)
        new_digest = msgspec.json.encode([(s.scope, s.standing, [r.fired for r in s.readings]) for s in slo_row.scopes])
        if new_digest == digest and 0 <= now - written_at < ROW_INTERVAL_MS:
            return False
        self._written_rows[slo_row.slo] = (now, new_digest)
        return True


def _decode_slo_row(body: bytes) -> SloNow | None:
    """Return a row, None for one that another version wrote in another shape: then nothing is remembered of it."""
    try:
        return msgspec.json.decode(body, type=SloNow)
    except msgspec.DecodeError:
        return None
