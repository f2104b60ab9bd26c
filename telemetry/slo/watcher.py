"""What rollup tells while it works, and what alarms are handed to; protocols only, it must do nothing itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import Width, Window
    from telemetry.core.fold.totals import Total
    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.evaluation import Judgement, Tail


class Watcher(Protocol):
    """Follows totals and the present, and judges objectives; it may raise, which never stops the folding."""

    def take(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Take what was put in place of all the unit's totals of that width starting in the window."""

    def follow(self, unit: str, tails: Mapping[str, Tail]) -> None:
        """Take what is believed of the present, by scope."""

    def evaluate(self, now: int, *, deaf: bool = False) -> Mapping[str, bytes]:
        """Judge everything at a mark (Unix ms); returns live rows (`slo:ID`) to be put.

        `deaf`: nothing comes in, our own beats neither, so nobody's silence may raise an alarm.
        """


class Silent:
    """A watcher that judges nothing."""

    def take(self, unit: str, width: Width, window: Window, totals: Sequence[Total]) -> None:
        """Forget it."""

    def follow(self, unit: str, tails: Mapping[str, Tail]) -> None:
        """Forget it."""

    def evaluate(self, now: int, *, deaf: bool = False) -> Mapping[str, bytes]:
        """Return no rows."""
        del now, deaf
        return MappingProxyType({})


class Alerts(Protocol):
    """Where judgements become alarms."""

    def step(self, judgements: Sequence[Judgement], now: int) -> Mapping[tuple[str, str], Alarms]:
        """Take one step (Unix ms); returns the alarms after it by (objective id, scope)."""
