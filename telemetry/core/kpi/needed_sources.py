"""What would give an indicator a value that nobody reports; pure, it must not know which sources are set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from telemetry.core.kpi.indicators import Indicator

NeededSource = Literal[
    "dossiers", "catalogue", "statistics", "ratings", "tickets", "counters", "promises", "forecast", "devices",
    "probes", "connectors", "index", "declaration",
]  # fmt: skip
"""dossiers: a list of dossiers (`dossier_file`, `dossier_http`); catalogue, statistics, connectors: `statistics_http`;
ratings: rating tablets; tickets: a queue system; counters: counter states; promises: predicted waits; forecast: enough
days with tickets; devices: agents; probes: a system of its kind with a probe; index: `indices.csv`; declaration:
nothing measures it."""
_BY_PREFIX: dict[str, NeededSource] = {
    "received": "dossiers", "resolved": "dossiers", "backlog": "dossiers", "digitis": "dossiers",
    "procedures_paid": "statistics", "procedures": "dossiers", "catalogue": "catalogue",
    "rating": "ratings", "promises": "promises", "forecast": "forecast", "counters_planned": "forecast",
    "counter": "counters", "open_online_only": "counters", "connector": "connectors", "rows": "devices",
    "issued": "tickets", "called": "tickets", "way": "tickets", "centres_live": "tickets", "offered": "counters",
}  # fmt: skip
"""By how the first figure that shows a source begins; the first entry that fits counts."""


def needed_source(indicator: Indicator) -> NeededSource:
    """Return what would give the indicator's figures."""
    if indicator.source == "import":
        return "index"
    if not indicator.evidence_figures:
        return "declaration"
    name = indicator.evidence_figures[0]
    if name.endswith("_expected"):
        return "devices"
    if name.endswith(("_up_ms", "_down_ms")):
        return "probes"
    return next((source for prefix, source in _BY_PREFIX.items() if name.startswith(prefix)), "statistics")
