"""The page of notifications: alerts grouped as Alertmanager has them, with who works on them; it must not set silences.

Without an Alertmanager the page shows which objectives' burn-rate rules fire, as rollup last evaluated them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from api.alertmanager import Notifications, NotificationState
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.objectives.texts import place_href, place_name
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.alertmanager import AlertSilence, NotifiedAlert, NotifiedGroup
    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Inventory
    from telemetry.queries.service import Queries

STATES: tuple[NotificationState, ...] = get_args(NotificationState)
"""Those that need somebody first."""
SILENCE_HOURS = (1, 4, 24, 168)
_SEVERITIES = ("page", "ticket")


@dataclass(frozen=True, slots=True)
class AlertItem:
    """One alert in words; `href` explains its place, `objective_href` its objective."""

    fingerprint: str
    severity: str
    state: NotificationState
    place: str
    href: str
    summary: str
    started_at: int
    objective_href: str
    silence: AlertSilence | None


@dataclass(frozen=True, slots=True)
class AlertSection:
    """A group of alerts that are notified together."""

    title: str
    receiver: str
    items: tuple[AlertItem, ...]


def build_context(
    queries: Queries, locale: PageLocale, notifications: Notifications | None, served: frozenset[str]
) -> dict[str, Any]:
    """Gather what the template shows; `notifications` is None without an Alertmanager."""
    inventory, now = queries.inventory(), queries.now()
    known = notifications or Notifications()
    sections = tuple(_sections(known, inventory, locale, served))
    items = list({item.fingerprint: item for section in sections for item in section.items}.values())
    counts = Counter(item.state for item in items)
    firing = () if notifications else tuple(_firing_objectives(queries, locale, served))
    needs = counts["active"] or len(firing)
    unjudged = sum(slo.objective.alert and slo.slo_state == "no_data" for slo in queries.slo_index().unsorted_slos)
    return {
        "title": locale.t("alerts_title"),
        "now": now,
        "inventory": inventory,
        "health": queries.store_stats(),
        "simulated": inventory.simulated,
        "has_alertmanager": notifications is not None,
        "problem": known.problem,
        "counts": counts,
        "mood": _mood(known, is_needed=bool(needs), unjudged=unjudged),
        "unjudged": unjudged,
        "sentence": _sentence(known, counts, len(firing), locale),
        "sections": sections,
        "silences": tuple(sorted(known.silences, key=lambda s: s.ends_at)),
        "hours": [(h, locale.t("alerts_days", n=h // 24) if h > 24 else locale.t("hours", h=h)) for h in SILENCE_HOURS],
        "tables": (_alert_table(items, locale), *((_firing_table(firing, locale),) if notifications is None else ())),
    }


def _mood(known: Notifications, *, is_needed: bool, unjudged: int) -> str:
    """Return the condition shown; no alert is good news only where every objective could have one."""
    if known.problem:
        return "unknown"
    if is_needed:
        return "down"
    return "unknown" if unjudged else "operational"


def _sentence(known: Notifications, counts: Mapping[NotificationState, int], firing: int, locale: PageLocale) -> str:
    if known.problem:
        return locale.t("alerts_unreachable", problem=known.problem)
    if needs := counts["active"] or firing:
        return locale.t("alerts_need", n=needs)
    handled = sum(counts.values())
    return locale.t("alerts_handled", n=handled) if handled else locale.t("alerts_none")


def _sections(
    known: Notifications, inventory: Inventory, locale: PageLocale, served: frozenset[str]
) -> Iterator[AlertSection]:
    sections = []
    for group in known.groups:
        items = sorted(
            (_alert_item(a, inventory, locale, served) for a in group.alerts),
            key=lambda i: (STATES.index(i.state), i.severity, i.started_at),
        )
        if items:
            sections.append(AlertSection(_group_title(group, inventory, locale), group.receiver, tuple(items)))
    yield from sorted(sections, key=lambda s: min((STATES.index(i.state), i.severity) for i in s.items))


def _group_title(group: NotifiedGroup, inventory: Inventory, locale: PageLocale) -> str:
    """Return what the alerts of a group have in common: a centre or a scope, else the labels as they are."""
    centre = inventory.centres.get(group.labels.get("centre", ""))
    if centre is not None:
        return locale.name(centre)
    if "scope" in group.labels:
        return place_name(group.labels["scope"], inventory, locale)
    others = [f"{name}={value}" for name, value in sorted(group.labels.items()) if name != "alertname"]
    return ", ".join(others) or group.labels.get("alertname") or locale.t("alerts_ungrouped")


def _alert_item(alert: NotifiedAlert, inventory: Inventory, locale: PageLocale, served: frozenset[str]) -> AlertItem:
    labels, texts = alert.labels, alert.annotations
    scope = labels.get("scope", "")
    summary = texts.get("summary_vi" if locale.lang == "vi" else "summary") or texts.get("summary", "")
    objective = labels.get("objective", "")
    declared = any(o.id == objective for o in inventory.objectives)
    return AlertItem(
        fingerprint=alert.fingerprint,
        severity=labels.get("severity", "") if labels.get("severity") in _SEVERITIES else "ticket",
        state=alert.state,
        place=place_name(scope, inventory, locale) if scope else labels.get("alertname", ""),
        href=place_href(scope, inventory, served) if scope else "",
        summary=summary or labels.get("alertname", ""),
        started_at=alert.starts_at,
        objective_href=f"/objectives/{objective}?scope={scope}" if declared and scope else "",
        silence=alert.silence,
    )


def _alert_table(items: list[AlertItem], locale: PageLocale) -> PageTable:
    columns = (
        TableColumn("alert", locale.t("alerts_alert")),
        TableColumn("state", locale.t("condition"), "state", "alert_state_"),
        TableColumn("severity", locale.t("alerts_severity"), "state", "alert_severity_"),
        TableColumn("place", locale.t("alerts_place")),
        TableColumn("since", locale.t("alerts_since"), "time"),
        TableColumn("by", locale.t("alerts_by")),
        TableColumn("until", locale.t("alerts_until"), "time"),
        TableColumn("note", locale.t("alerts_note")),
    )
    rows = tuple(
        PageTableRow((
            TableCell(item.summary, href=f"#alert-{item.fingerprint}"), TableCell(item.state), TableCell(item.severity),
            TableCell(item.place, href=item.href), TableCell(item.started_at),
            TableCell(item.silence.created_by if item.silence else None),
            TableCell(item.silence.ends_at if item.silence else None),
            TableCell(item.silence.note if item.silence else None),
        ))
        for item in items
    )  # fmt: skip
    return PageTable("alerts", locale.t("alerts_table"), columns, rows)


@dataclass(frozen=True, slots=True)
class FiringRow:
    """An objective at a scope whose burn-rate rules fire; `since` is the first of them, Unix ms."""

    name: str
    place: str
    href: str
    severity: str
    burn_rate: float | None
    since: int


def _firing_objectives(queries: Queries, locale: PageLocale, served: frozenset[str]) -> Iterator[FiringRow]:
    inventory = queries.inventory()
    for slo in queries.slo_index().sorted_slos:
        firing = [reading for reading in slo.row.readings if reading.fired is not None]
        if firing and Scope(slo.scope).kind in {"centre", "device", "system", "province"}:
            yield FiringRow(
                name=locale.name(slo.objective),
                place=place_name(slo.scope, inventory, locale),
                href=f"/objectives/{slo.objective.id}?scope={slo.scope}" if "/objectives/{ident}" in served else "",
                severity="page" if any(r.severity == "page" for r in firing) else "ticket",
                burn_rate=max((r.long for r in firing if r.long is not None), default=None),
                since=min(r.fired for r in firing if r.fired is not None),
            )


def _firing_table(firing: tuple[FiringRow, ...], locale: PageLocale) -> PageTable:
    columns = (
        TableColumn("objective", locale.t("alerts_objective")),
        TableColumn("place", locale.t("alerts_place")),
        TableColumn("severity", locale.t("alerts_severity"), "state", "alert_severity_"),
        TableColumn("burn_rate", locale.t("alerts_burn_rate"), "decimal"),
        TableColumn("since", locale.t("alerts_since"), "time"),
    )
    rows = tuple(
        PageTableRow((
            TableCell(f.name, href=f.href), TableCell(f.place), TableCell(f.severity), TableCell(f.burn_rate),
            TableCell(f.since),
        ))
        for f in firing
    )  # fmt: skip
    return PageTable("firing", locale.t("alerts_firing"), columns, rows)
