"""Objectives in plain words: what each promises, of which place, and what its budget counts; it must not compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.objectives.budgets import budget_text
from telemetry.core.scope import Scope
from telemetry.queries.slo_filter import place_kind

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Inventory, Objective
    from telemetry.queries.slos import ScopedSlo


def place_name(scope: str, inventory: Inventory, locale: PageLocale) -> str:
    """Return the name of a centre, device or system; of a device its kind and number at its centre."""
    place = Scope(scope)
    if place.kind == "system":
        return locale.name(inventory.systems.get(place.id), place.id)
    if place.kind == "device":
        device = inventory.devices.get(place.id)
        if device is None:
            return place.id
        number = place.id.rpartition(device.kind)[2]
        centre = locale.name(inventory.centres.get(device.centre), device.centre)
        return locale.t("device_at", kind=locale.kind(device.kind), number=number, centre=centre)
    return locale.name(inventory.centres.get(place.id), place.id)


def place_href(scope: str, inventory: Inventory, served: frozenset[str], query: str = "") -> str:
    """Return the page that explains a place: its own where it is served, else that of its centre; empty without one."""
    place = Scope(scope)
    if place.kind in {"device", "system"} and f"/{place.kind}s/{{ident}}" in served:
        return f"/{place.kind}s/{place.id}{query}"
    if place.kind == "device":
        device = inventory.devices.get(place.id)
        return "" if device is None else f"/centres/{device.centre}{query}"
    return f"/centres/{place.id}{query}" if place.kind == "centre" else ""


def objective_place(objective: Objective, inventory: Inventory, locale: PageLocale) -> str:
    """Return the place that an objective is about: the only one by its name, else every one of its kind."""
    if ":" in objective.scope:
        return place_name(objective.scope, inventory, locale)
    return locale.t(f"every_{place_kind(objective)}")


def objective_words(objective: Objective, locale: PageLocale, place: str) -> str:
    """Return what an objective promises of a place in one sentence."""
    return locale.t(
        f"promise_{objective.sli}",
        place=place,
        goal=locale.percent(objective.goal),
        clock=locale.t(f"clock_{objective.clock}"),
        period=period_words(objective, locale),
        threshold=threshold_words(objective, locale),
    )


def period_words(objective: Objective, locale: PageLocale) -> str:
    """Return the period of an objective's budget in words."""
    if objective.period == "rolling":
        return locale.t("period_rolling", n=objective.days)
    return locale.t(f"period_{objective.period}")


def threshold_words(objective: Objective, locale: PageLocale) -> str:
    """Return the threshold of waits in minutes and of latencies in seconds; empty without one."""
    if not objective.threshold_ms:
        return ""
    if objective.sli == "wait":
        return locale.minutes(objective.threshold_ms / 1000)
    return locale.t("seconds", s=locale.decimal(objective.threshold_ms / 1000))


def duration_words(seconds: float, locale: PageLocale) -> str:
    """Return a duration: minutes up to two hours, hours up to two days, then days."""
    size = abs(seconds)
    if size < 7_200:
        return locale.minutes(seconds)
    if size < 172_800:
        return locale.t("hours", h=locale.decimal(seconds / 3600))
    return locale.t("days", d=locale.decimal(seconds / 86_400))


def amount_words(amount: float, objective: Objective, locale: PageLocale) -> str:
    """Return an amount of a budget: a duration, or tickets, probes or days."""
    if objective.sli in {"availability", "connectivity"}:
        return duration_words(amount, locale)
    return locale.t(f"amount_{objective.sli}", n=round(amount))


def budget_words(slo: ScopedSlo, locale: PageLocale) -> str:
    """Return how much of a budget is left of how much, or by how much it is overspent."""
    if not slo.in_seconds:
        return budget_text(slo, locale)
    budget = slo.budget
    key, amount = ("slo_over", -budget.remaining) if budget.remaining < 0 else ("slo_left", budget.remaining)
    return locale.t(key, amount=duration_words(amount, locale), whole=duration_words(budget.total, locale))
