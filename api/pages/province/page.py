"""The province's page: a state sentence, who needs help now and why, the map of districts, objectives and targets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from api.pages.charts.plots import target_gauge
from api.pages.comparison.page import VERDICT_ICONS, window_dates
from api.pages.frame.periods import period_query
from api.pages.history.picker import build_picker
from api.pages.objectives.texts import budget_words
from api.pages.province.centre_list import page_frame, unit_table
from telemetry.core.figures.condition import attention_key
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope
from telemetry.queries.network import sort_worst_first
from telemetry.queries.period_history import DayRange
from telemetry.queries.service import WAIT_TARGET
from telemetry.queries.units import IN_TROUBLE, build_unit_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from zoneinfo import ZoneInfo

    from api.pages.frame.language import PageLocale
    from api.pages.frame.links import PageLinks
    from api.pages.places import HistoryPlace
    from api.pages.province.summary import ProvinceSummary
    from telemetry.core.figures.condition import Condition
    from telemetry.core.inventory import Inventory, Target
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.service import Queries
    from telemetry.queries.slos import ScopedSlo, SloIndex
    from telemetry.queries.units import UnitTree, UnitView
    from telemetry.queries.views import CentreView, SystemView

WORST_CENTRES = 5
WORST_OBJECTIVES = 3
_ATTENTION: frozenset[Condition] = IN_TROUBLE | {"busy", "below_target"}


@dataclass(frozen=True, slots=True)
class TroubledCentre:
    """A centre that needs help: why, and since when."""

    view: CentreView
    why: str
    since: str


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One line of what needs the reader now; `state` gives its icon and colour."""

    state: str
    text: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class CentreTile:
    """A centre on the map; `is_main` is the one of the district itself."""

    view: CentreView
    name: str
    title: str
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class TileGroup:
    """A district on the map with its centres in the order of their units."""

    name: str
    href: str
    condition: Condition | None
    tiles: tuple[CentreTile, ...]


def build_context(
    queries: Queries, locale: PageLocale, place: HistoryPlace, links: PageLinks, summary: ProvinceSummary
) -> dict[str, Any]:
    """Gather what the template shows."""
    status, slos = queries.network_status(), queries.slo_index()
    network, inventory = status.network, status.network.inventory
    today = queries.availability(Scope.province(inventory.province), queries.today_so_far(inventory.zone))
    tree = build_unit_tree(network)
    systems = sorted(status.systems, key=lambda v: attention_key(v.assessment, 0, v.system.id))
    worst = [v for v in sort_worst_first(status.centres) if v.condition in _ATTENTION]
    frame = page_frame(
        queries, locale.name(inventory), summary_sentence(status, locale), status.condition, status.last_data
    )
    return frame | {
        "status": status,
        "worst": [troubled_centre(v, locale, summary, network.now) for v in worst[:WORST_CENTRES]],
        "worst_count": len(worst),
        "attention": [*attention_items(status, slos, locale, links)],
        "tile_groups": tile_groups(tree, locale, links),
        "tables": (unit_table(tree.districts, locale, links, network.now, locale.t("prov_districts")),),
        "period_picker": build_picker(queries, locale, place, None),
        "today": today.ratio_of(today.overall),
        "imported": sort_worst_first(status.imported),
        "imports_first": status.condition == "planned",
        "systems": [view for view in systems if not _is_well(view)],
        "systems_well": [view for view in systems if _is_well(view)],
        "links": links,
        **_objectives_context(slos, inventory, locale, links),
        **_wait_context(status, locale),
        **_past_context(summary, locale, local_date(network.now, inventory.zone), inventory.zone),
    }


def _is_well(view: SystemView) -> bool:
    """Return whether a system needs no card of its own: it is operational, and nothing is said against it."""
    return view.condition == "operational" and not view.assessment.reasons


def troubled_centre(view: CentreView, locale: PageLocale, summary: ProvinceSummary, now: int) -> TroubledCentre:
    """Return why a centre needs help and since when."""
    since = summary.trouble_since(view)
    why = "; ".join(locale.reason(r, now) for r in view.assessment.reasons[:2]) or locale.t(f"cond_{view.condition}")
    is_in_reason = any(r.code == "no_contact" and r.at is not None for r in view.assessment.reasons)
    shown = "" if since is None or is_in_reason else locale.t("prov_since", at=locale.since(since, now))
    return TroubledCentre(view, why, shown)


def attention_items(
    status: NetworkStatus, slos: SloIndex, locale: PageLocale, links: PageLinks
) -> Iterator[AttentionItem]:
    """Yield what needs somebody beside single centres: systems, firing alarms, exhausted objectives, silence."""
    now = status.network.now
    for view in status.systems:
        if view.in_service and view.condition in ("down", "unknown"):
            points = view.row.vantage if view.row else ()
            up = sum(point.state == "up" for point in points)
            note = locale.t("vantage_note", part=up, n=len(points)) if points else locale.t("no_vantage")
            if status.stale:
                note = locale.t("needs_unknown")
            text = locale.t(f"prov_system_{view.condition}", name=locale.name(view.system))
            yield AttentionItem(view.condition, text, note, links.system(view.system.id))
    yield from _firing_alarms(slos, locale, links, now)
    exhausted = slos.state_counts["exhausted"]
    if exhausted:
        text = locale.t("prov_exhausted", n=exhausted)
        href = links.page("/objectives") or "#objectives"
        yield AttentionItem("exhausted", text, locale.t("prov_exhausted_note"), href)
    silent = status.conditions["unknown"]
    if silent:
        text = locale.t("prov_silent", n=silent)
        yield AttentionItem("unknown", text, locale.t("prov_silent_note"), "/centres?condition=unknown")


def _firing_alarms(slos: SloIndex, locale: PageLocale, links: PageLinks, now: int) -> Iterator[AttentionItem]:
    fired_by_objective: dict[str, list[int]] = {}
    for scoped in slos.unsorted_slos:
        fired = [reading.fired for reading in scoped.row.readings if reading.fired is not None]
        if fired:
            fired_by_objective.setdefault(scoped.objective.id, []).append(min(fired))
    for ident, times in sorted(fired_by_objective.items(), key=lambda item: min(item[1])):
        text = locale.t("prov_alarm", name=locale.name(slos.declared[ident]), n=len(times))
        note = locale.t("prov_since", at=locale.since(min(times), now))
        yield AttentionItem("at_risk", text, note, links.objective(ident))


def tile_groups(tree: UnitTree, locale: PageLocale, links: PageLinks) -> list[TileGroup]:
    """Return the map: the top with its own centres and the units that have no parts, then each district."""
    groups = [(root, None) for root in tree.roots] + [(unit, unit.condition) for unit in tree.districts]
    laid_out = [
        TileGroup(unit.unit.name, links.unit(unit.unit.code), condition, tuple(_unit_tiles(unit, locale)))
        for unit, condition in groups
    ]
    others = tuple(_tile(view, locale.name(view.centre), locale) for view in tree.unplaced)
    return [
        group for group in (*laid_out, TileGroup(locale.t("prov_unplaced"), "/centres", None, others)) if group.tiles
    ]


def _unit_tiles(unit: UnitView, locale: PageLocale) -> Iterator[CentreTile]:
    """Yield a unit's own centres, then those of the units without parts directly below it, by their codes."""
    yield from (_tile(view, locale.name(view.centre), locale, is_main=True) for view in unit.own_centres)
    for child in unit.children:
        if not child.children:
            yield from (_tile(view, child.unit.name, locale) for view in child.own_centres)


def _tile(view: CentreView, name: str, locale: PageLocale, *, is_main: bool = False) -> CentreTile:
    return CentreTile(view, name, f"{name}: {locale.messages[f'cond_{view.condition}']}", is_main)


def _objectives_context(slos: SloIndex, inventory: Inventory, locale: PageLocale, links: PageLinks) -> dict[str, Any]:
    counts = slos.state_counts
    worst = [slo for slo in slos.sorted_slos[:WORST_OBJECTIVES] if slo.slo_state in ("exhausted", "at_risk")]
    return {
        "objectives_kept": counts["healthy"] + counts["at_risk"],
        "objectives_judged": counts["healthy"] + counts["at_risk"] + counts["exhausted"],
        "objectives_unjudged": counts["no_data"],
        "worst_objectives": [_objective_line(slo, inventory, locale, links) for slo in worst],
        "objectives_href": links.page("/objectives"),
    }


def _objective_line(slo: ScopedSlo, inventory: Inventory, locale: PageLocale, links: PageLinks) -> AttentionItem:
    scope = Scope(slo.scope)
    named: object = inventory.centres.get(scope.id) or inventory.systems.get(scope.id)
    centre = inventory.devices[scope.id].centre if scope.id in inventory.devices else ""
    text = f"{locale.name(slo.objective)} – {locale.name(named, scope.id)}"
    return AttentionItem(slo.slo_state, text, budget_words(slo, locale), links.scope(scope, centre))


def _past_context(summary: ProvinceSummary, locale: PageLocale, today: date, zone: ZoneInfo) -> dict[str, Any]:
    yesterday, weeks = today - timedelta(days=1), summary.weeks()
    return {
        "weeks": weeks,
        "week_icons": VERDICT_ICONS,
        "week_dates": () if weeks is None else [
            window_dates(locale, side.subject.window, zone) for side in (weeks.first, weeks.second)
        ],
        "yesterday_query": period_query(DayRange(yesterday, yesterday, zone)),
        "targets_now": summary.target_counts(),
    }  # fmt: skip


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
