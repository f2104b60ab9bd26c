"""Judgements and alarms as live rows, one per objective; it must compute nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.fold.live_row_types import BurnRateNow, ScopedSloNow, SloNow
from telemetry.core.slo.alarms import NO_ALARMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.slo.alarms import AlarmStates
    from telemetry.core.slo.burn_rate import BurnRate
    from telemetry.core.slo.evaluation import Evaluation


def build_slo_row(
    slo: str, evaluations: Iterable[Evaluation], alarms: Mapping[tuple[str, str], AlarmStates], settled: int
) -> SloNow:
    """Return an objective's live row, its scopes by id."""
    ordered = sorted(evaluations, key=lambda j: j.scoped.scope)
    scopes = tuple(_build_scope_row(j, alarms.get((slo, j.scoped.scope), NO_ALARMS)) for j in ordered)
    return SloNow(slo=slo, at=max((j.at for j in ordered), default=0), settled_until=settled, scopes=scopes)


def _build_scope_row(evaluation: Evaluation, alarms: AlarmStates) -> ScopedSloNow:
    status, account = evaluation.status, evaluation.status.account
    times = {} if account is None else {
        "open": account.open, "up": account.up, "down": account.down,
        "unknown": account.unknown, "excluded": account.excluded,
    }  # fmt: skip
    return ScopedSloNow(
        scope=evaluation.scoped.scope, start=evaluation.window.start, end=evaluation.window.end,
        good=status.good_bad.good, bad=status.good_bad.bad, standing=status.slo_state,
        allowance=evaluation.period_open_s, exhausts_at=status.exhausts_at,
        readings=tuple(_build_burn_rate_row(r, alarms) for r in status.burn_rates), **times,
    )  # fmt: skip


def _build_burn_rate_row(burn_rate: BurnRate, alarms: AlarmStates) -> BurnRateNow:
    alarm = alarms.get(burn_rate.rule.name)
    return BurnRateNow(
        rule=burn_rate.rule.name, severity=burn_rate.rule.severity, long_ms=burn_rate.rule.long_ms,
        short_ms=burn_rate.rule.short_ms,
        threshold=burn_rate.threshold, long=burn_rate.long_rate, short=burn_rate.short_rate,
        armed=burn_rate.has_full_history,
        fired=alarm.fired_at if alarm is not None and alarm.is_firing else None,
    )  # fmt: skip
