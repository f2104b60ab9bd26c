"""Alarms from one step to the next: they are advanced, kept, grouped and handed on; it must judge nothing itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import structlog

from telemetry.core.calendar.windows import MINUTE
from telemetry.core.slo.alarms import NONE, advance
from telemetry.core.slo.alert import burned, stand
from telemetry.core.slo.alert_grouping import Firing, grouped
from telemetry.core.slo.alert_text import told
from telemetry.slo.alert_state import Kept, StateUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.alert import Standing
    from telemetry.core.slo.alert_grouping import Key, Root
    from telemetry.core.slo.alert_text import Alert
    from telemetry.core.slo.burn_rate import Reading
    from telemetry.core.slo.evaluation import Judgement
    from telemetry.slo.alert_state import Aim

_log = structlog.get_logger()
UNJUDGED_MS = 10 * MINUTE
"""How long a firing alarm is kept that nobody judges: after a restart not everything is read again at once."""


class State(Protocol):
    """Where alarms and alerts survive a restart."""

    def load(self) -> Kept:
        """Return everything kept; raises StateUnavailable."""

    def save(self, alarms: Mapping[Aim, Alarms], standing: Mapping[Key, Standing] | None) -> None:
        """Write what changed in one transaction; raises StateUnavailable."""


class Sender(Protocol):
    """Where alerts go."""

    def offer(self, alerts: Sequence[Alert], at: int) -> None:
        """Take everything that is to be known at `at` (Unix ms); it must return at once."""


class Memory:
    """A state that ends with the process, for those that tell nobody."""

    def load(self) -> Kept:
        """Return nothing."""
        return Kept()

    def save(self, alarms: Mapping[Aim, Alarms], standing: Mapping[Key, Standing] | None) -> None:
        """Keep nothing: Alerting has it."""


class Nobody:
    """A sender that sends nothing: alarms are judged and shown only."""

    def offer(self, alerts: Sequence[Alert], at: int) -> None:
        """Forget them."""


class Alerting:
    """The alarms of one rollup. Raises StateUnavailable when it is made and its state cannot be read."""

    def __init__(
        self, inventory: Callable[[], Inventory], state: State | None = None, sender: Sender | None = None
    ) -> None:
        self._inventory = inventory
        self._state: State = state or Memory()
        self._sender: Sender = sender or Nobody()
        kept = self._state.load()
        self._alarms: dict[Aim, Alarms] = dict(kept.alarms)
        self._standing: Mapping[Key, Standing] = kept.standing
        self._unwritten: set[Aim] = set()
        self._written = self._standing
        self._unjudged: dict[Aim, int] = {}

    def step(self, judgements: Sequence[Judgement], now: int) -> Mapping[Aim, Alarms]:
        """Take all judgements of the moment `now` (Unix ms); returns the alarms after it, by (objective, scope)."""
        found = {(j.aimed.objective.id, j.aimed.scope): j for j in judgements if j.aimed.objective.alert}
        for aim, judged in found.items():
            self._put(aim, advance(self._alarms.get(aim, NONE), _readings(judged), now)[0])
        self._forget(found, now)
        self._tell(found, now)
        self._write()
        return MappingProxyType(dict(self._alarms))

    def _put(self, aim: Aim, alarms: Alarms) -> None:
        if alarms == self._alarms.get(aim, NONE):
            return
        self._unwritten.add(aim)
        if alarms:
            self._alarms[aim] = alarms
        else:
            self._alarms.pop(aim, None)

    def _forget(self, found: Mapping[Aim, Judgement], now: int) -> None:
        """Drop the alarms of what has not been judged for long: it is declared no more."""
        gone = [aim for aim in self._alarms if aim not in found]
        self._unjudged = {aim: self._unjudged.get(aim, now) for aim in gone}
        for aim, since in list(self._unjudged.items()):
            if now - since >= UNJUDGED_MS:
                self._put(aim, NONE)
                del self._unjudged[aim]

    def _tell(self, found: Mapping[Aim, Judgement], now: int) -> None:
        world = self._inventory()
        firing = [f for aim, judged in found.items() if (f := _firing(judged, self._alarms.get(aim, NONE)))]
        roots: list[Root] = grouped(firing, _open_centres(found.values()), burned(self._standing), now)
        sure = not any(a.firing for aim in self._unjudged for a in self._alarms[aim].values())
        self._standing = stand(self._standing, roots, world.province, now, sure=sure)
        self._sender.offer(told(self._standing.values(), roots, world.zone, now), now)

    def _write(self) -> None:
        """Write what changed; what cannot be written now is written with a later step."""
        standing = self._standing if self._standing != self._written else None
        if not self._unwritten and standing is None:
            return
        try:
            self._state.save({aim: self._alarms.get(aim, NONE) for aim in self._unwritten}, standing)
        except StateUnavailable as error:
            _log.error("state_unavailable", error=str(error), remedy="alarms go on; a restart now would forget them")
            return
        self._unwritten.clear()
        self._written = self._standing


def _readings(judged: Judgement) -> Iterable[Reading]:
    """Return the rules' readings; while the clock stands still none is exceeded."""
    found = judged.status.readings
    return found if judged.open else [replace(r, exceeded=False) for r in found]


def _firing(judged: Judgement, alarms: Alarms) -> Firing | None:
    found = {name: a for name, a in alarms.items() if a.firing}
    return Firing(judged, MappingProxyType(found)) if found else None


def _open_centres(judgements: Iterable[Judgement]) -> Mapping[str, int]:
    """Count the centres, by province, whose connectivity is judged and whose clock runs."""
    seen = {
        (j.aimed.centre.province, j.aimed.scope)
        for j in judgements
        if j.open and j.aimed.centre and j.aimed.objective.sli == "connectivity" and j.aimed.scope.startswith("centre:")
    }
    return Counter(province for province, _ in seen)
