"""Sums up runs: median and worst of several, percentiles of many. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def summarise_runs(runs: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the median and the worst (least) of a figure over the runs, with all runs."""
    rates = [run[name] for run in runs]
    return {"median": statistics.median(rates), "worst": min(rates), "runs": list(runs)}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and the largest, by nearest rank."""
    ordered = sorted(values)
    figures = {f"p{p}": ordered[max(0, -(-len(ordered) * p // 100) - 1)] for p in (50, 95, 99)}
    return figures | {"max": ordered[-1]}


def round_figures(value: Any) -> Any:  # noqa: ANN401
    """Keep three decimals, none above 1,000: more is noise."""
    if isinstance(value, dict):
        return {key: round_figures(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [round_figures(inner) for inner in value]
    if isinstance(value, float):
        return round(value) if abs(value) >= 1_000 else round(value, 3)
    return value
