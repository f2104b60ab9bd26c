"""Alarms from one step to the next: they are advanced, kept, grouped and handed on; it must judge nothing itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import structlog

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.slo.alarms import NO_ALARMS, advance
from telemetry.core.slo.alert import advance_alerts, last_burned
from telemetry.core.slo.alert_grouping import FiringObjective, group_alerts
from telemetry.core.slo.alert_text import build_postable_alerts
from telemetry.slo.alert_state import SavedAlerts, StateUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alarms import AlarmStates
    from telemetry.core.slo.alert import ActiveAlert
    from telemetry.core.slo.alert_grouping import AlertGroup, AlertKey
    from telemetry.core.slo.alert_text import PostableAlert
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.evaluation import Evaluation
    from telemetry.slo.alert_state import ObjectiveKey

_log = structlog.get_logger()
UNEVALUATED_KEPT_MS = 10 * MINUTE
"""How long a firing alarm is kept that nobody judges: after a restart not everything is read again at once."""


class AlertStateStore(Protocol):
    """Where alarms and alerts survive a restart."""

    def load(self) -> SavedAlerts:
        """Return everything kept; raises StateUnavailable."""

    def save(
        self, alarms: Mapping[ObjectiveKey, AlarmStates], active_alerts: Mapping[AlertKey, ActiveAlert] | None
    ) -> None:
        """Write what changed in one transaction; raises StateUnavailable."""


class AlertSender(Protocol):
    """Where alerts go."""

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        """Take everything that is to be known at `at` (Unix ms); it must return at once."""


class InMemoryAlertState:
    """A state that ends with the process, for those that tell nobody."""

    def load(self) -> SavedAlerts:
        """Return nothing."""
        return SavedAlerts()

    def save(
        self, alarms: Mapping[ObjectiveKey, AlarmStates], active_alerts: Mapping[AlertKey, ActiveAlert] | None
    ) -> None:
        """Keep nothing: Alerting has it."""


class NullAlertSender:
    """A sender that sends nothing: alarms are judged and shown only."""

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        """Forget them."""


class Alerting:
    """The alarms of one rollup. Raises StateUnavailable when it is made and its state cannot be read."""

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        state: AlertStateStore | None = None,
        sender: AlertSender | None = None,
    ) -> None:
        self._inventory = inventory
        self._state: AlertStateStore = state or InMemoryAlertState()
        self._sender: AlertSender = sender or NullAlertSender()
        saved = self._state.load()
        self._alarms: dict[ObjectiveKey, AlarmStates] = dict(saved.alarms)
        self._active_alerts: Mapping[AlertKey, ActiveAlert] = saved.active_alerts
        self._unsaved_keys: set[ObjectiveKey] = set()
        self._saved_alerts = self._active_alerts
        self._unevaluated_since: dict[ObjectiveKey, int] = {}

    def step(self, evaluations: Sequence[Evaluation], now: int) -> Mapping[ObjectiveKey, AlarmStates]:
        """Take all judgements of the moment `now` (Unix ms); returns the alarms after it, by (objective, scope)."""
        evaluation_by_key = {
            (j.scoped.objective.id, j.scoped.scope): j for j in evaluations if j.scoped.objective.alert
        }
        for key, evaluation in evaluation_by_key.items():
            self._set_alarms(key, advance(self._alarms.get(key, NO_ALARMS), _effective_burn_rates(evaluation), now)[0])
        self._drop_stale(evaluation_by_key, now)
        self._send_alerts(evaluation_by_key, now)
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
        """Drop the alarms of what has not been judged for long: it is declared no more."""
        unevaluated = [key for key in self._alarms if key not in evaluation_by_key]
        self._unevaluated_since = {key: self._unevaluated_since.get(key, now) for key in unevaluated}
        for key, since in list(self._unevaluated_since.items()):
            if now - since >= UNEVALUATED_KEPT_MS:
                self._set_alarms(key, NO_ALARMS)
                del self._unevaluated_since[key]

    def _send_alerts(self, evaluation_by_key: Mapping[ObjectiveKey, Evaluation], now: int) -> None:
        inventory = self._inventory()
        firing = [
            f
            for key, evaluation in evaluation_by_key.items()
            if (f := _firing_objective(evaluation, self._alarms.get(key, NO_ALARMS)))
        ]
        groups: list[AlertGroup] = group_alerts(
            firing, _count_open_centres(evaluation_by_key.values()), last_burned(self._active_alerts), now
        )
        all_evaluated = not any(a.is_firing for key in self._unevaluated_since for a in self._alarms[key].values())
        self._active_alerts = advance_alerts(
            self._active_alerts, groups, inventory.province, now, all_evaluated=all_evaluated
        )
        self._sender.submit(build_postable_alerts(self._active_alerts.values(), groups, inventory.zone, now), now)

    def _save_changes(self) -> None:
        """Write what changed; what cannot be written now is written with a later step."""
        active_alerts = self._active_alerts if self._active_alerts != self._saved_alerts else None
        if not self._unsaved_keys and active_alerts is None:
            return
        try:
            self._state.save({key: self._alarms.get(key, NO_ALARMS) for key in self._unsaved_keys}, active_alerts)
        except StateUnavailable as error:
            _log.error("state_unavailable", error=str(error), remedy="alarms go on; a restart now would forget them")
            return
        self._unsaved_keys.clear()
        self._saved_alerts = self._active_alerts


def _effective_burn_rates(evaluation: Evaluation) -> Iterable[BurnRate]:
    """Return the rules' readings; while the clock stands still none is exceeded."""
    burn_rates = evaluation.status.burn_rates
    return burn_rates if evaluation.is_open else [replace(r, is_exceeded=False) for r in burn_rates]


def _firing_objective(evaluation: Evaluation, alarms: AlarmStates) -> FiringObjective | None:
    firing_alarms = {name: a for name, a in alarms.items() if a.is_firing}
    return FiringObjective(evaluation, MappingProxyType(firing_alarms)) if firing_alarms else None


def _count_open_centres(evaluations: Iterable[Evaluation]) -> Mapping[str, int]:
    """Count the centres, by province, whose connectivity is judged and whose clock runs."""
    open_scopes = {
        (j.scoped.centre.province, j.scoped.scope)
        for j in evaluations
        if j.is_open
        and j.scoped.centre
        and j.scoped.objective.sli == "connectivity"
        and j.scoped.scope.startswith("centre:")
    }
    return Counter(province for province, _ in open_scopes)
