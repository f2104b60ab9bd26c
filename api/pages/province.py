"""The province's page: a summary sentence, five figures, the centres worst first, the digital systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.charts import target_gauge
from api.pages.freshness import Freshness
from api.pages.picker import build_picker
from telemetry.core.figures.condition import attention_key
from telemetry.core.scope import Scope
from telemetry.queries.network import sort_worst_first
from telemetry.queries.service import WAIT_TARGET

if TYPE_CHECKING:
    from api.pages.language import PageLocale
    from api.pages.places import HistoryPlace
    from telemetry.core.figures.condition import Condition
    from telemetry.core.inventory import Target
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.service import Queries

FIRST_CENTRES = 20


def build_context(queries: Queries, locale: PageLocale, place: HistoryPlace) -> dict[str, Any]:
    """Gather what the template shows."""
    status = queries.network_status()
    inventory = status.network.inventory
    zone = inventory.zone
    today = queries.availability(Scope.province(inventory.province), queries.today_so_far(zone))
    ordered = sort_worst_first(status.centres)
    return {
        "title": locale.name(inventory),
        "status": status,
        "now": status.network.now,
        "simulated": status.has_simulated_data,
        "stale": status.stale,
        "last_data": status.last_data,
        "freshness": Freshness(status.last_data, status.network.now),
        "picker": build_picker(queries, locale, place, None),
        "sentence": summary_sentence(status, locale),
        "mood": status.condition,
        "today": today.ratio_of(today.overall),
        "health": queries.store_stats(),
        "first": ordered[:FIRST_CENTRES],
        "rest": ordered[FIRST_CENTRES:],
        "imported": sort_worst_first(status.imported),
        "imports_first": status.condition == "planned",
        "systems": sorted(status.systems, key=lambda v: attention_key(v.assessment, 0, v.system.id)),
        "inventory": inventory,
        **_wait_context(status, locale),
    }


def _wait_context(status: NetworkStatus, locale: PageLocale) -> dict[str, Any]:
    targets = sorted((t for t in status.network.inventory.targets if t.id == WAIT_TARGET), key=lambda t: t.by)
    mean = status.today.wait.mean_s
    target_texts = [locale.t("target_item", value=locale.minutes(t.value), year=str(t.by.year)) for t in targets]
    return {
        "mean": mean,
        "target": status.target,
        "targets": "; ".join(target_texts),
        "verdict": target_verdict(mean, status.target),
        "gauge": target_gauge(mean, [t.value for t in targets]),
    }


def target_verdict(mean: float | None, target: Target | None) -> str:
    """Return the message key for the mean wait compared with the target."""
    if mean is None or target is None:
        return "target_none"
    return "target_met" if mean <= target.value else "target_missed"


def summary_sentence(status: NetworkStatus, locale: PageLocale) -> str:
    """Return the state of the network in a sentence or two; the counts are of the centres' conditions."""
    if not status.centres:
        return locale.t("p_none")
    if status.condition == "planned":
        return locale.t("p_planned")
    parts = [_centres_sentence(status, locale) if status.open_centres else locale.t("p_closed")]
    if status.system_states["down"]:
        parts.append(locale.t("p_systems_down", n=status.system_states["down"]))
    if status.assessment.exhausted:
        parts.append(locale.t("p_objectives_exhausted", n=status.assessment.exhausted))
    return " ".join(parts)


def _centres_sentence(status: NetworkStatus, locale: PageLocale) -> str:
    conditions, total = status.conditions, status.open_centres
    good = conditions["operational"]
    if good == total:
        return locale.t("p_all_good", n=good)
    parts = [locale.t("p_some", good=good, n=total)]
    impaired: tuple[Condition, ...] = ("down", "overloaded", "degraded", "unknown", "busy", "below_target")
    parts += [locale.t(f"p_some_{c}", n=conditions[c]) for c in impaired if conditions[c]]
    return ", ".join(parts) + "."
