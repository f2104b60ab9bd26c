"""Evaluates objectives while rollup works: holds the totals, evaluates each slot, advances alarms, builds live rows.

It must not fold and never reads raw events.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import structlog

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.contacts import ContactsNow
from telemetry.core.fold.live_row_types import SLO_ROW_PREFIX, BurnRateNow, ScopedSloNow, SloNow, decode_rows
from telemetry.core.in_service import service_periods
from telemetry.core.scope import Scope
from telemetry.core.slo.burn_rate import NO_ALARMS
from telemetry.core.slo.evaluation import scoped_objectives
from telemetry.core.slo.periods import settled_until
from telemetry.slo.objective_evaluation import EvaluationContext, evaluate_objective
from telemetry.slo.totals_table import empty_table, load_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set as AbstractSet

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.live_row_types import SloState
    from telemetry.core.fold.states import RecentState
    from telemetry.core.fold.totals import Total
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.burn_rate import AlarmStates
    from telemetry.core.slo.evaluation import Evaluation, ScopedObjective
    from telemetry.slo.alerting import Alerting
    from telemetry.slo.totals_table import TotalsTable
    from telemetry.store import Store

_log = structlog.get_logger()
ROW_INTERVAL_MS = MINUTE
MAX_STALE_MS = 5 * MINUTE
"""How long an entity whose hours wait to be folded keeps its last evaluation: a flood of late data delays no page."""
_UNWRITTEN_ROW = (0, b"")
"""When and as what a row was written that was not written since the start."""


class SloEvaluator:
    """Evaluates every objective that the inventory declares; without `alerting` no alarms are raised."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], alerting: Alerting | None = None) -> None:
        self._store, self._inventory, self._alerting = store, inventory, alerting
        self._table: TotalsTable | None = None
        self._scoped_objectives: tuple[ScopedObjective, ...] = ()
        self._last_complete_at = 0
        """When everything was evaluated for the last time, also objectives that raise no alarm."""
        self._recent_states: dict[str, RecentState] = {}
        self._periods: ServicePeriods | None = None
        self._slo_states: dict[tuple[str, str], SloState] = {}
        self._last_evaluations: dict[tuple[str, str], Evaluation] = {}
        self._written_rows: dict[str, tuple[int, bytes]] = {}
        self._failures: dict[str, str] = {}

    def on_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Apply the totals that replaced all of the entity's totals of that width starting in the window.

        Before the first evaluation there is no table yet; it will be read from the store.
        """
        if self._table is not None:
            self._table.apply_totals(entity, width, window, totals)

    def on_recent_state(self, recent_states: Mapping[str, RecentState]) -> None:
        """Update the present state, by scope."""
        self._recent_states.update(recent_states)

    def on_service_periods(self, periods: ServicePeriods) -> None:
        """Follow who is in service; the caller updates `periods` in place.  Before, they are read from the store."""
        self._periods = periods

    def evaluate(
        self, now: int, *, is_ingest_silent: bool = False, unfolded: AbstractSet[str] = frozenset()
    ) -> Mapping[str, bytes]:
        """Evaluate at `now` (Unix ms) what raises alarms, and everything once a minute; returns rows that changed.

        `is_ingest_silent`: ingest writes nothing, not even its own heartbeat, so lost contact must not raise an alarm.
        `unfolded` entities have hours that wait to be folded: their last evaluation remains, marked as stale, for five
        minutes at most; then they are evaluated as far as they are folded, still marked.
        """
        table = self._current_table(now)
        is_complete = not 0 <= now - self._last_complete_at < ROW_INTERVAL_MS
        self._last_complete_at = now if is_complete else self._last_complete_at
        selected = [s for s in self._scoped_objectives if is_complete or s.objective.alert]
        retained = [e for s in selected if s.entity in unfolded and (e := self._last_recent(s, now))]
        retained_keys = {_key_of(e.scoped) for e in retained}
        due = [s for s in selected if _key_of(s) not in retained_keys]
        evaluations = self._evaluate_objectives(table, due, now, is_ingest_silent=is_ingest_silent)
        self._last_evaluations |= {_key_of(e.scoped): e for e in evaluations}
        evaluations = [replace(e, is_stale=e.scoped.entity in unfolded) for e in (*evaluations, *retained)]
        alarms = self._alerting.step(evaluations, now, self._answering(now)) if self._alerting else {}
        return self._changed_rows(evaluations, alarms, now)

    def _answering(self, now: int) -> frozenset[str]:
        """Return the systems that are up at `now`, by id."""
        return frozenset(
            Scope(scope).id
            for scope, recent in self._recent_states.items()
            if Scope(scope).kind == "system" and any(s.state == "up" and s.start <= now < s.end for s in recent.service)
        )

    def _last_recent(self, scoped: ScopedObjective, now: int) -> Evaluation | None:
        """Return the last evaluation when it is at most five minutes old and of the same objective."""
        last = self._last_evaluations.get(_key_of(scoped))
        return last if last and last.scoped == scoped and 0 <= now - last.at <= MAX_STALE_MS else None

    def take_failures(self) -> dict[str, str]:
        """Return which objectives failed in the last evaluation, with the reason; each is returned once."""
        failures, self._failures = self._failures, {}
        return failures

    def evaluate_all(self, now: int) -> list[Evaluation]:
        """Return all evaluations at `now`."""
        return self._evaluate_objectives(self._current_table(now), self._scoped_objectives, now)

    def _evaluate_objectives(
        self, table: TotalsTable, selected: Sequence[ScopedObjective], now: int, *, is_ingest_silent: bool = False
    ) -> list[Evaluation]:
        settled = settled_until(now, table.inventory.zone)
        if self._periods is None:
            contacts = decode_rows(((live.entity, live.body) for live in self._store.live_rows()), ContactsNow)
            self._periods = service_periods(table.inventory, contacts)
        context = EvaluationContext(
            now, settled, self._recent_states, is_ingest_silent=is_ingest_silent, periods=self._periods
        )
        evaluations = []
        for scoped in selected:
            key = _key_of(scoped)
            previous, readiness = self._slo_states.get(key, "no_data"), table.readiness[scoped.entity]
            try:
                evaluation = evaluate_objective(scoped, table.entry_of(scoped), context, previous, readiness)
            except Exception as error:  # noqa: BLE001  # one objective's totals never stop the others
                if scoped.objective.id not in self._failures:
                    _log.error("objective_failed", slo=key[0], scope=key[1], error=repr(error), exc_info=error)
                self._failures[scoped.objective.id] = f"{key[1]}: {error!r}"
                continue
            self._slo_states[key] = evaluation.status.slo_state
            evaluations.append(evaluation)
        return evaluations

    def _current_table(self, now: int) -> TotalsTable:
        """Return the table of the present inventory and day; contents of an earlier one are not read again."""
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
        """Restore states, for their hysteresis, from the rows that an earlier rollup wrote; each is written anew."""
        for live in self._store.live_rows():
            if not live.entity.startswith(SLO_ROW_PREFIX):
                continue
            try:
                saved_row = msgspec.json.decode(live.body, type=SloNow)
            except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
                _log.warning(
                    "slo_state_unreadable", row=live.entity, error=type(error).__name__, effect="it begins anew"
                )
                continue
            slo = live.entity.removeprefix(SLO_ROW_PREFIX)
            for scope in saved_row.scopes:
                self._written_rows.setdefault(slo, _UNWRITTEN_ROW)
                self._slo_states.setdefault((slo, scope.scope), scope.standing)

    def _changed_rows(
        self, evaluations: Sequence[Evaluation], alarms: Mapping[tuple[str, str], AlarmStates], now: int
    ) -> dict[str, bytes]:
        by_slo: dict[str, list[Evaluation]] = defaultdict(list)
        for evaluation in evaluations:
            by_slo[evaluation.scoped.objective.id].append(evaluation)
        settled = settled_until(now, self._inventory().zone)
        removed = self._written_rows.keys() - {scoped.objective.id for scoped in self._scoped_objectives}
        rows = [build_slo_row(slo, group, alarms, settled) for slo, group in by_slo.items()]
        rows += [SloNow(slo=slo, at=now, settled_until=settled) for slo in removed]
        changed = {f"{SLO_ROW_PREFIX}{row.slo}": msgspec.json.encode(row) for row in rows if self._is_due(row, now)}
        for slo in removed:
            del self._written_rows[slo]
        return changed

    def _is_due(self, row: SloNow, now: int) -> bool:
        """Return whether a row must be written: its states or alarms changed, or it was written a minute ago."""
        written_at, digest = self._written_rows.get(row.slo, _UNWRITTEN_ROW)
        states = [(s.scope, s.standing, s.stale, [r.fired for r in s.readings]) for s in row.scopes]
        new_digest = msgspec.json.encode(states)
        if new_digest == digest and 0 <= now - written_at < ROW_INTERVAL_MS:
            return False
        self._written_rows[row.slo] = (now, new_digest)
        return True


def build_slo_row(
    slo: str, evaluations: Iterable[Evaluation], alarms: Mapping[tuple[str, str], AlarmStates], settled: int
) -> SloNow:
    """Return an objective's live row, its scopes by id."""
    ordered = sorted(evaluations, key=lambda e: e.scoped.scope)
    at = max((e.at for e in ordered), default=0)
    scopes = tuple(_build_scope_row(e, alarms.get((slo, e.scoped.scope), NO_ALARMS), at) for e in ordered)
    return SloNow(slo=slo, at=at, settled_until=settled, scopes=scopes)


def _key_of(scoped: ScopedObjective) -> tuple[str, str]:
    return scoped.objective.id, scoped.scope


def _build_scope_row(evaluation: Evaluation, alarms: AlarmStates, row_at: int) -> ScopedSloNow:
    status, account = evaluation.status, evaluation.status.account
    times = {} if account is None else {
        "open": account.open, "up": account.up, "down": account.down,
        "unknown": account.unknown, "excluded": account.excluded, "not_in_service": account.not_in_service,
    }  # fmt: skip
    readings = tuple(
        BurnRateNow(
            rule=r.rule.name, severity=r.rule.severity, long_ms=r.rule.long_ms, short_ms=r.rule.short_ms,
            threshold=r.threshold, long=r.long_rate, short=r.short_rate, armed=r.has_full_history,
            fired=alarm.fired_at if (alarm := alarms.get(r.rule.name)) and alarm.is_firing else None,
        )
        for r in status.burn_rates
    )  # fmt: skip
    return ScopedSloNow(
        scope=str(evaluation.scoped.scope), start=evaluation.window.start, end=evaluation.window.end,
        good=status.good_bad.good, bad=status.good_bad.bad, standing=status.slo_state,
        allowance=evaluation.period_open_s, exhausts_at=status.exhausts_at, readings=readings,
        stale=evaluation.is_stale, judged_at=evaluation.at if evaluation.at != row_at else None, **times,
    )  # fmt: skip
