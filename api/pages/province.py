"""What the province's page says: one sentence, five figures, the centres worst first, the digital systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.charts import gauge
from telemetry.queries import WAIT_TARGET, worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.language import Words
    from telemetry.core.inventory import Target
    from telemetry.queries import CentreView, Condition, Queries, Status

SHOWN = 20
_WORDS = {"none": "operational", "minor": "degraded", "major": "down", "critical": "down"}


def context(queries: Queries, words: Words) -> dict[str, Any]:
    """Gather what the template shows."""
    found = queries.status()
    inventory = found.world.inventory
    zone = inventory.zone
    today = queries.availability(f"province:{inventory.province}", queries.today(zone))
    ordered = worst_first(found.centres)
    return {
        "title": words.name(inventory),
        "status": found,
        "now": found.world.now,
        "simulated": found.simulated,
        "stale": found.stale,
        "last_data": found.last_data,
        "sentence": sentence(found, words),
        "mood": mood(found),
        "today": today.whole,
        "health": queries.health(),
        "first": ordered[:SHOWN],
        "rest": ordered[SHOWN:],
        "imported": worst_first(found.imported),
        "systems": sorted(found.systems, key=lambda v: (("down", "unknown", "up").index(v.state), v.system.id)),
        "inventory": inventory,
        **_wait(found, words),
    }


def _wait(found: Status, words: Words) -> dict[str, Any]:
    targets = sorted((t for t in found.world.inventory.targets if t.id == WAIT_TARGET), key=lambda t: t.by)
    mean = found.today.wait.mean_s
    listed = [words.t("target_item", value=words.minutes(t.value), year=str(t.by.year)) for t in targets]
    return {
        "mean": mean,
        "target": found.target,
        "targets": "; ".join(listed),
        "verdict": verdict(mean, found.target),
        "gauge": gauge(mean, [t.value for t in targets]),
    }


def verdict(mean: float | None, target: Target | None) -> str:
    """Return the message key that holds the mean wait against the target."""
    if mean is None or target is None:
        return "target_none"
    return "target_met" if mean <= target.value else "target_missed"


def mood(found: Status) -> Condition:
    """Return the condition that colours the header."""
    if found.stale:
        return "unknown"
    if not found.open and found.indicator in ("none", "minor"):
        return "closed"
    return _WORDS[found.indicator]  # type: ignore[return-value]


def sentence(found: Status, words: Words) -> str:
    """Say the state of the network in a sentence or two."""
    if not found.centres:
        return words.t("p_none")
    parts = [_centres(found.centres, words) if found.open else words.t("p_closed")]
    if found.system_states["down"]:
        parts.append(words.t("p_systems_down", n=found.system_states["down"]))
    return " ".join(parts)


def _centres(views: Sequence[CentreView], words: Words) -> str:
    conditions = [v.condition for v in views if v.open]
    good = conditions.count("operational")
    if good == len(conditions):
        return words.t("p_all_good", n=good)
    parts = [words.t("p_some", good=good, n=len(conditions))]
    bad: tuple[Condition, ...] = ("down", "degraded", "unknown")
    parts += [words.t(f"p_some_{c}", n=conditions.count(c)) for c in bad if c in conditions]
    return ", ".join(parts) + "."
