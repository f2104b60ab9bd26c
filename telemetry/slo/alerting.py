"""Advances alarms from one step to the next, saves and groups them, and passes alerts on; it evaluates nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.hosted.derived_systems import system_calls
from telemetry.core.slo.alert import advance_alerts, build_postable_alerts, last_burned
from telemetry.core.slo.alert_grouping import NO_CALLS, FiringObjective, group_alerts, mark_answering_inside
from telemetry.core.slo.burn_rate import NO_ALARMS, advance
from telemetry.slo.alert_state import SavedAlerts, StateUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set as AbstractSet

    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alert import ActiveAlert
    from telemetry.core.slo.alert_grouping import AlertKey
    from telemetry.core.slo.burn_rate import AlarmStates, BurnRate
    from telemetry.core.slo.evaluation import Evaluation
    from telemetry.slo.alert_state import ObjectiveKey, StateFile
    from telemetry.slo.alertmanager import Alertmanagers

_log = structlog.get_logger()
UNEVALUATED_RETENTION_MS = 10 * MINUTE
"""How long a firing alarm stays active without an evaluation: after a restart not everything is read again at once."""


class Alerting:
    """The alarms of one rollup; without a `state` they end with the process, without a `sender` no alert is posted.

    Raises StateUnavailable when it is made and its state cannot be read.
    """

    def __init__(
        self, inventory: Callable[[], Inventory], state: StateFile | None = None, sender: Alertmanagers | None = None
    ) -> None:
        self._inventory, self._state, self._sender = inventory, state, sender
        saved = state.load() if state else SavedAlerts()
        self._alarms: dict[ObjectiveKey, AlarmStates] = dict(saved.alarms)
        self._active_alerts: Mapping[AlertKey, ActiveAlert] = saved.active_alerts
        self._unsaved_keys: set[ObjectiveKey] = set()
        self._saved_alerts = self._active_alerts
        self._unevaluated_since: dict[ObjectiveKey, int] = {}

    def step(
        self, evaluations: Sequence[Evaluation], now: int, answering: AbstractSet[str] = frozenset()
    ) -> Mapping[ObjectiveKey, AlarmStates]:
        """Process all evaluations of the moment `now` (Unix ms); returns the alarms after it, by (objective, scope).

        `answering` are the systems and components that answer at this moment, by id.
        """
        evaluation_by_key: dict[ObjectiveKey, Evaluation] = {
            (e.scoped.objective.id, e.scoped.scope): e for e in evaluations if e.scoped.objective.alert
        }
        for key, evaluation in evaluation_by_key.items():
            burn_rates: Iterable[BurnRate] = evaluation.status.burn_rates
            if not evaluation.is_open:  # while the clock does not run, no rule is exceeded
                burn_rates = [replace(r, is_exceeded=False) for r in burn_rates]
            self._set_alarms(key, advance(self._alarms.get(key, NO_ALARMS), burn_rates, now)[0])
        self._drop_stale(evaluation_by_key, now)
        self._send_alerts(evaluation_by_key, now, answering)
        self._save_changes()
        return MappingProxyType(dict(self._alarms))

    def _set_alarms(self, key: ObjectiveKey, alarms: AlarmStates) -> None:
        if alarms == self._alarms.get(key, NO_ALARMS):
            return
        self._unsaved_keys.add(key)
        if alarms:
            self._alarms[key] = alarms
        else:
            self._alarms.pop(key, None)

    def _drop_stale(self, evaluation_by_key: Mapping[ObjectiveKey, Evaluation], now: int) -> None:
        """Drop the alarms of what has not been evaluated for long: it is no longer declared."""
        unevaluated = [key for key in self._alarms if key not in evaluation_by_key]
        self._unevaluated_since = {key: self._unevaluated_since.get(key, now) for key in unevaluated}
        for key, since in list(self._unevaluated_since.items()):
            if now - since >= UNEVALUATED_RETENTION_MS:
                self._set_alarms(key, NO_ALARMS)
                del self._unevaluated_since[key]

    def _send_alerts(
        self, evaluation_by_key: Mapping[ObjectiveKey, Evaluation], now: int, answering: AbstractSet[str]
    ) -> None:
        inventory = self._inventory()
        firings: list[FiringObjective] = []
        for key, evaluation in evaluation_by_key.items():
            firing = {name: a for name, a in self._alarms.get(key, NO_ALARMS).items() if a.is_firing}
            if firing:
                firings.append(FiringObjective(evaluation, MappingProxyType(firing)))
        open_centres = _count_open_centres(evaluation_by_key.values())
        calls = system_calls(inventory.cloud) if firings else NO_CALLS
        groups = group_alerts(firings, open_centres, last_burned(self._active_alerts), now, calls)
        entries = {ident: calls[ident] for ident in inventory.cloud.systems if ident in calls}
        groups = mark_answering_inside(groups, entries, answering)
        all_evaluated = not any(a.is_firing for key in self._unevaluated_since for a in self._alarms[key].values())
        self._active_alerts = advance_alerts(
            self._active_alerts, groups, inventory.province, now, all_evaluated=all_evaluated
        )
        if self._sender:
            alerts = build_postable_alerts(self._active_alerts.values(), groups, inventory.zone, now)
            self._sender.submit(alerts, now)

    def _save_changes(self) -> None:
        """Write what changed; what cannot be written now is written with a later step."""
        active_alerts = self._active_alerts if self._active_alerts != self._saved_alerts else None
        if self._state is None or (not self._unsaved_keys and active_alerts is None):
            return
        try:
            self._state.save({key: self._alarms.get(key, NO_ALARMS) for key in self._unsaved_keys}, active_alerts)
        except StateUnavailable as error:
            _log.error("state_unavailable", error=str(error), remedy="alarms go on; a restart now would lose them")
            return
        self._unsaved_keys.clear()
        self._saved_alerts = self._active_alerts


def _count_open_centres(evaluations: Iterable[Evaluation]) -> Mapping[str, int]:
    """Count the centres, by province, whose connectivity is evaluated and whose clock runs."""
    open_scopes = {
        (e.scoped.centre.province, e.scoped.scope)
        for e in evaluations
        if e.is_open
        and e.scoped.centre
        and e.scoped.objective.sli == "connectivity"
        and e.scoped.scope.kind == "centre"
    }
    return Counter(province for province, _ in open_scopes)
