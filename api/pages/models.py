"""The page of the models in use: trained on what, last back-test, promise kept by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.frame.freshness import Freshness

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.queries.service import Queries


def build_context(queries: Queries, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    status = queries.network_status()
    return {
        "title": locale.t("models"),
        "now": status.network.now,
        "simulated": status.has_simulated_data,
        "stale": status.stale,
        "last_data": status.last_data,
        "freshness": Freshness(status.last_data, status.network.now),
        "mood": "period",
        "sentence": locale.t("models_intro"),
        "health": queries.store_stats(),
        "inventory": status.network.inventory,
        "cards": queries.wait_model_cards(),
        "without_model": queries.centres_without_model(),
    }
