"""Families of objectives: in short on the main page, in full for one of them; ratios come from the core."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from api.metrics.families import family
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.slo.periods import calendar
from telemetry.queries.slos import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from prometheus_client.core import Metric

    from telemetry.core.fold.live_row_types import ReadingNow
    from telemetry.core.inventory import Objective
    from telemetry.queries import Objectives, Standpoint

LABELS = ["slo", "scope"]
SEVERITIES = ("page", "ticket")


def objective_families(found: Objectives, now: int, zone: ZoneInfo) -> Iterator[Metric]:
    """Yield every objective, and for centres and systems its SLI, coverage and what is left of its budget."""
    promised = list(found.declared.values())
    yield family("slo_objective_ratio", "What is promised.", ["slo"], (([o.id], o.goal) for o in promised))
    yield family(
        "slo_window_seconds",
        "Length of the period the budget is for, by the wall clock.",
        ["slo"],
        (([o.id], _length(o, now, zone)) for o in promised),
    )
    yield family(
        "slo_scopes",
        "Scopes by how the objective stands there.",
        ["slo", "standing"],
        (([i, word], n) for i in found.declared for word, n in counted(found.of(i)).items()),
    )
    yield from _times(found)
    firing = Counter(r.severity for one in found.unordered for r in one.row.readings if r.fired is not None)
    yield family(
        "alerts",
        "Burn-rate alarms of all scopes that fire now, before grouping.",
        ["severity", "state"],
        (([severity, "firing"], firing[severity]) for severity in SEVERITIES),
    )
    yield from _short([one for one in found.unordered if not one.scope.startswith("device:")])


def _length(objective: Objective, now: int, zone: ZoneInfo) -> float:
    if objective.period == "rolling":
        return objective.days * DAY / 1000
    return calendar(objective.period, now, zone).length / 1000


def _times(found: Objectives) -> Iterator[Metric]:
    judged = [(ident, now) for ident, now in found.judged.items() if ident in found.declared]
    yield family(
        "slo_settled_timestamp_seconds",
        "What lies before this moment is settled.",
        ["slo"],
        (([ident], now.settled_until / 1000) for ident, now in judged),
    )
    yield family(
        "slo_evaluated_timestamp_seconds",
        "When rollup last judged the objective.",
        ["slo"],
        (([ident], now.at / 1000) for ident, now in judged),
    )


def _short(found: Sequence[Standpoint]) -> Iterator[Metric]:
    yield _ratios(
        "slo_sli_ratio",
        "Good ÷ (good + bad) over the period; absent when undefined. Low and high bounds at /metrics/slos.",
        found, lambda s: s.measure.ratio, "official",
    )  # fmt: skip
    yield _ratios(
        "slo_coverage_ratio", "Share of the period's time that is known.", found, lambda s: s.account.coverage
    )
    yield _ratios(
        "slo_error_budget_remaining_ratio",
        "What is left of the budget, of all of it; negative when overspent.",
        found, lambda s: s.budget.remaining_ratio,
    )  # fmt: skip


def _ratios(
    name: str, text: str, found: Sequence[Standpoint], value: Callable[[Standpoint], float | None], *bound: str
) -> Metric:
    labels = [*LABELS, "bound"] if bound else LABELS
    known = (([s.objective.id, s.scope, *bound], value(s)) for s in found if s.at is not None)
    return family(name, text, labels, ((at, x) for at, x in known if x is not None))


def scope_families(found: Sequence[Standpoint]) -> Iterator[Metric]:
    """Yield everything about an objective, at every scope that was judged."""
    judged = [s for s in found if s.at is not None]
    short = list(_short(judged))
    bounds = (([s.objective.id, s.scope, *row], x) for s in judged for *row, x in _bounds(s) if x is not None)
    yield family("slo_sli_ratio", "Good ÷ (good + bad) over the period, and its bounds.", [*LABELS, "bound"], bounds)
    yield from short[1:]
    timed = [s for s in judged if s.in_seconds]
    for name in ("open", "unknown"):
        yield _sums(f"slo_{name}_seconds", f"The period's time: {name}.", timed, attrgetter(f"row.{name}"))
    for name in ("good", "bad"):
        yield _sums(f"slo_{name}_seconds", f"Time that counts as {name}.", timed, attrgetter(f"row.{name}"))
        others = [s for s in judged if not s.in_seconds]
        text = f"Tickets, probes or days that count as {name}."
        yield _sums(f"slo_{name}_events", text, others, attrgetter(f"row.{name}"))
    yield _sums(
        "slo_error_budget_remaining_seconds", "What is left of the budget; negative when overspent.", timed,
        lambda s: s.budget.remaining,
    )  # fmt: skip
    yield _burn(judged)


def _bounds(found: Standpoint) -> tuple[tuple[str, float | None], ...]:
    account = found.account
    return ("official", found.measure.ratio), ("low", account.low), ("high", account.high)


def _sums(name: str, text: str, found: Sequence[Standpoint], value: Callable[[Standpoint], float]) -> Metric:
    late = f"{text} A gauge, because late data can lower it."
    return family(name, late, LABELS, (([s.objective.id, s.scope], value(s)) for s in found))


def _burn(found: Sequence[Standpoint]) -> Metric:
    return family(
        "slo_burn_rate",
        "How many times faster than allowed the budget goes, over the windows of each rule; absent when undefined.",
        [*LABELS, "rule", "window"],
        (
            ([s.objective.id, s.scope, r.rule, window], rate)
            for s in found
            for r in s.row.readings
            for window, rate in _rates(r)
            if rate is not None
        ),
    )


def _rates(reading: ReadingNow) -> tuple[tuple[str, float | None], ...]:
    return (duration(reading.long_ms), reading.long), (duration(reading.short_ms), reading.short)


def duration(ms: int) -> str:
    """Return a length as Prometheus writes it: 7h30m."""
    hours, rest = divmod(ms, HOUR)
    return f"{hours}h" * bool(hours) + f"{rest // MINUTE}m" * bool(rest) or "0m"
