"""Families of objectives: a summary on the main page, all of one objective on its own; ratios come from the core."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from api.metrics.families import gauge_family
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import calendar_period
from telemetry.queries.slos import count_slo_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from prometheus_client.core import Metric

    from telemetry.core.fold.live_row_types import BurnRateNow
    from telemetry.core.inventory import Objective
    from telemetry.queries.slos import ScopedSlo, SloIndex

SLO_LABELS = ["slo", "scope"]
SEVERITIES = ("page", "ticket")


def objective_families(slo_index: SloIndex, now: int, zone: ZoneInfo) -> Iterator[Metric]:
    """Yield every objective, and for centres and systems its SLI, coverage and its remaining budget."""
    declared = list(slo_index.declared.values())
    yield gauge_family(
        "slo_objective_ratio",
        "The objective: the ratio that must be good.",
        ["slo"],
        (([o.id], o.goal) for o in declared),
    )
    yield gauge_family(
        "slo_window_seconds",
        "Length of the budget's period by the wall clock.",
        ["slo"],
        (([o.id], _period_seconds(o, now, zone)) for o in declared),
    )
    yield gauge_family(
        "slo_scopes",
        "Scopes by the objective's state there.",
        ["slo", "standing"],
        (
            ([i, slo_state], n)
            for i in slo_index.declared
            for slo_state, n in count_slo_states(slo_index.for_slo(i)).items()
        ),
    )
    yield from _timestamp_families(slo_index)
    firing = Counter(r.severity for slo in slo_index.unsorted_slos for r in slo.row.readings if r.fired is not None)
    yield gauge_family(
        "alerts",
        "Burn-rate alarms of all scopes that fire now, before grouping.",
        ["severity", "state"],
        (([severity, "firing"], firing[severity]) for severity in SEVERITIES),
    )
    yield from _burning_families(slo_index)
    yield from _summary_families([slo for slo in slo_index.unsorted_slos if Scope(slo.scope).kind != "device"])


def _burning_families(slo_index: SloIndex) -> Iterator[Metric]:
    """Yield the highest burn rates of each objective, and the alarms that fire at centres and systems.

    All burn rates of all places would be more series than everything else on the page.
    """
    highest: dict[tuple[str, str, str], float] = {}
    for slo in slo_index.unsorted_slos:
        for reading in slo.row.readings:
            for window, rate in _window_rates(reading):
                if rate is not None:
                    key = (slo.objective.id, reading.rule, window)
                    highest[key] = max(rate, highest.get(key, rate))
    yield gauge_family(
        "slo_burn_rate_max",
        "Highest burn rate of the budget at any place (1: exactly as fast as allowed) over the windows of each rule.",
        ["slo", "rule", "window"],
        highest.items(),
    )
    yield gauge_family(
        "slo_alarm_firing",
        "A burn-rate alarm of a centre or system that fires now, before grouping: 1; the others are left out.",
        [*SLO_LABELS, "rule", "severity"],
        (
            ([slo.objective.id, slo.scope, reading.rule, reading.severity], 1)
            for slo in slo_index.unsorted_slos
            if Scope(slo.scope).kind != "device"
            for reading in slo.row.readings
            if reading.fired is not None
        ),
    )


def _period_seconds(objective: Objective, now: int, zone: ZoneInfo) -> float:
    if objective.period == "rolling":
        return objective.days * DAY / 1000
    return calendar_period(objective.period, now, zone).length / 1000


def _timestamp_families(slo_index: SloIndex) -> Iterator[Metric]:
    evaluations = [(ident, slo_now) for ident, slo_now in slo_index.evaluations.items() if ident in slo_index.declared]
    yield gauge_family(
        "slo_settled_timestamp_seconds",
        "Data before this time are settled.",
        ["slo"],
        (([ident], evaluation.settled_until / 1000) for ident, evaluation in evaluations),
    )
    yield gauge_family(
        "slo_evaluated_timestamp_seconds",
        "When rollup last evaluated the objective.",
        ["slo"],
        (([ident], evaluation.at / 1000) for ident, evaluation in evaluations),
    )


def _summary_families(slos: Sequence[ScopedSlo]) -> Iterator[Metric]:
    yield _ratio_family(
        "slo_sli_ratio",
        "Good ÷ (good + bad) over the period; absent when undefined. Low and high bounds at /metrics/slos.",
        slos, lambda s: s.good_bad.ratio, "official",
    )  # fmt: skip
    yield _ratio_family(
        "slo_coverage_ratio", "Share of the period's time that is known.", slos, lambda s: s.account.coverage
    )
    yield _ratio_family(
        "slo_error_budget_remaining_ratio",
        "Remaining share of the error budget; negative when overspent.",
        slos, lambda s: s.budget.remaining_ratio,
    )  # fmt: skip


def _ratio_family(
    name: str, help_text: str, slos: Sequence[ScopedSlo], value: Callable[[ScopedSlo], float | None], *bound: str
) -> Metric:
    labels = [*SLO_LABELS, "bound"] if bound else SLO_LABELS
    samples = (([s.objective.id, s.scope, *bound], value(s)) for s in slos if s.evaluated_at is not None)
    return gauge_family(name, help_text, labels, ((at, x) for at, x in samples if x is not None))


def scope_families(slos: Sequence[ScopedSlo]) -> Iterator[Metric]:
    """Yield all families of an objective, at every scope that was evaluated."""
    evaluated = [s for s in slos if s.evaluated_at is not None]
    summary = list(_summary_families(evaluated))
    bounds = (([s.objective.id, s.scope, *row], x) for s in evaluated for *row, x in _sli_bounds(s) if x is not None)
    yield gauge_family(
        "slo_sli_ratio", "Good ÷ (good + bad) over the period, and its bounds.", [*SLO_LABELS, "bound"], bounds
    )
    yield from summary[1:]
    time_based = [s for s in evaluated if s.in_seconds]
    for name in ("open", "unknown"):
        yield _value_family(f"slo_{name}_seconds", f"The period's time: {name}.", time_based, attrgetter(f"row.{name}"))
    for name in ("good", "bad"):
        yield _value_family(
            f"slo_{name}_seconds", f"Time that counts as {name}.", time_based, attrgetter(f"row.{name}")
        )
        count_based = [s for s in evaluated if not s.in_seconds]
        text = f"Tickets, probes or days that count as {name}."
        yield _value_family(f"slo_{name}_events", text, count_based, attrgetter(f"row.{name}"))
    yield _value_family(
        "slo_error_budget_remaining_seconds", "Remaining error budget; negative when overspent.", time_based,
        lambda s: s.budget.remaining,
    )  # fmt: skip
    yield _burn_rate_family(evaluated)


def _sli_bounds(slo: ScopedSlo) -> tuple[tuple[str, float | None], ...]:
    account = slo.account
    return ("official", slo.good_bad.ratio), ("low", account.low), ("high", account.high)


def _value_family(name: str, help_text: str, slos: Sequence[ScopedSlo], value: Callable[[ScopedSlo], float]) -> Metric:
    full_help_text = f"{help_text} A gauge, because late data can lower it."
    return gauge_family(name, full_help_text, SLO_LABELS, (([s.objective.id, s.scope], value(s)) for s in slos))


def _burn_rate_family(slos: Sequence[ScopedSlo]) -> Metric:
    return gauge_family(
        "slo_burn_rate",
        "Burn rate of the budget (1: exactly as fast as allowed) over the windows of each rule; absent when undefined.",
        [*SLO_LABELS, "rule", "window"],
        (
            ([s.objective.id, s.scope, r.rule, window], rate)
            for s in slos
            for r in s.row.readings
            for window, rate in _window_rates(r)
            if rate is not None
        ),
    )


def _window_rates(burn_rate: BurnRateNow) -> tuple[tuple[str, float | None], ...]:
    return (prometheus_duration(burn_rate.long_ms), burn_rate.long), (
        prometheus_duration(burn_rate.short_ms),
        burn_rate.short,
    )


def prometheus_duration(ms: int) -> str:
    """Return a length as Prometheus writes it: 7h30m."""
    hours, rest_ms = divmod(ms, HOUR)
    return f"{hours}h" * bool(hours) + f"{rest_ms // MINUTE}m" * bool(rest_ms) or "0m"
