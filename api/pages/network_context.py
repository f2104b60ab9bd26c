"""What every page about the network shares: title, sentence, age of the data; it must not know what the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.frame.freshness import Freshness

if TYPE_CHECKING:
    from telemetry.queries.service import Queries


def network_context(
    queries: Queries, title: str, sentence: str, mood: str = "period", *, follows: bool = True
) -> dict[str, Any]:
    """Return the values of `live.html`; `follows` says that the page shows the present, `mood` is a condition."""
    status = queries.network_status()
    return {
        "title": title,
        "sentence": sentence,
        "mood": mood,
        "now": status.network.now,
        "simulated": status.has_simulated_data,
        "stale": follows and status.stale,
        "last_data": status.last_data,
        "freshness": Freshness(status.last_data, status.network.now, follows),
        "health": queries.store_stats(),
        "inventory": status.network.inventory,
    }
