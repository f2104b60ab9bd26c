"""Judgements and alarms as live rows, one per objective; it must compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.fold.live_row_types import ReadingNow, ScopeNow, SloNow
from telemetry.core.slo.alarms import NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.alarms import Alarms
    from telemetry.core.slo.burn_rate import Reading
    from telemetry.core.slo.evaluation import Judgement


def row(slo: str, judgements: Iterable[Judgement], alarms: Mapping[tuple[str, str], Alarms], settled: int) -> SloNow:
    """Return an objective's live row, its scopes by id."""
    found = sorted(judgements, key=lambda j: j.aimed.scope)
    scopes = tuple(_scope(j, alarms.get((slo, j.aimed.scope), NONE)) for j in found)
    return SloNow(slo=slo, at=max((j.at for j in found), default=0), settled_until=settled, scopes=scopes)


def _scope(judged: Judgement, alarms: Alarms) -> ScopeNow:
    status, account = judged.status, judged.status.account
    times = {} if account is None else {
        "open": account.total, "up": account.up, "down": account.down,
        "unknown": account.unknown, "excluded": account.excluded,
    }  # fmt: skip
    return ScopeNow(
        scope=judged.aimed.scope, start=judged.window.start, end=judged.window.end,
        good=status.measure.good, bad=status.measure.bad, standing=status.standing,
        allowance=judged.allowance, exhausts_at=status.exhausts_at,
        readings=tuple(_reading(r, alarms) for r in status.readings), **times,
    )  # fmt: skip


def _reading(found: Reading, alarms: Alarms) -> ReadingNow:
    alarm = alarms.get(found.rule.name)
    return ReadingNow(
        rule=found.rule.name, severity=found.rule.severity, long_ms=found.rule.long, short_ms=found.rule.short,
        threshold=found.threshold, long=found.long, short=found.short, armed=found.armed,
        fired=alarm.fired if alarm is not None and alarm.firing else None,
    )  # fmt: skip
