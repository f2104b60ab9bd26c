"""What rollup tells while it works, and what alarms are handed to; protocols only, it must do nothing itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.fold.states import RecentState
    from telemetry.core.fold.totals import Total
    from telemetry.core.slo.alarms import AlarmStates
    from telemetry.core.slo.evaluation import Evaluation


class ObjectiveEvaluator(Protocol):
    """Follows totals and the present, and judges objectives; it may raise, which never stops the folding."""

    def on_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Take what was put in place of all the unit's totals of that width starting in the window."""

    def on_recent_state(self, entity: str, recent_states: Mapping[str, RecentState]) -> None:
        """Take what is believed of the present, by scope."""

    def evaluate(self, now: int, *, is_ingest_silent: bool = False) -> Mapping[str, bytes]:
        """Judge everything at a mark (Unix ms); returns live rows (`slo:ID`) to be put.

        `deaf`: nothing comes in, our own beats neither, so nobody's silence may raise an alarm.
        """


class NullEvaluator:
    """A watcher that judges nothing."""

    def on_totals(self, entity: str, width: BucketWidth, window: Window, totals: Sequence[Total]) -> None:
        """Forget it."""

    def on_recent_state(self, entity: str, recent_states: Mapping[str, RecentState]) -> None:
        """Forget it."""

    def evaluate(self, now: int, *, is_ingest_silent: bool = False) -> Mapping[str, bytes]:
        """Return no rows."""
        del now, is_ingest_silent
        return MappingProxyType({})


class AlarmProcessor(Protocol):
    """Where judgements become alarms."""

    def step(self, evaluations: Sequence[Evaluation], now: int) -> Mapping[tuple[str, str], AlarmStates]:
        """Take one step (Unix ms); returns the alarms after it by (objective id, scope)."""
