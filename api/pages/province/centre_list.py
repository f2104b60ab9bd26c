"""The list of centres and the page of an administrative unit: tables of centres and units; it must not judge them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.frame.freshness import Freshness
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.network_context import network_context
from telemetry.core.administrative_tree import is_within
from telemetry.core.figures.condition import CONDITIONS_WORST_FIRST
from telemetry.core.text_matching import fold_accents, match_rank
from telemetry.queries.network import sort_worst_first
from telemetry.queries.units import build_unit_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from api.pages.frame.links import PageLinks
    from telemetry.core.inventory import Inventory
    from telemetry.queries.service import Queries
    from telemetry.queries.units import UnitView
    from telemetry.queries.views import CentreView

CENTRES_SHOWN = 50
LEVELS = ("province", "district", "commune")


@dataclass(frozen=True, slots=True)
class CentreFilter:
    """What a reader wants to see of the centres; empty: all. `district` is any unit's code."""

    text: str = ""
    district: str = ""
    level: str = ""
    condition: str = ""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> CentreFilter:
        """Read a page's parameters."""
        return cls(*(parameters.get(name, "").strip() for name in ("q", "district", "level", "condition")))

    def admits(self, view: CentreView, inventory: Inventory) -> bool:
        """Return whether a centre is wanted."""
        centre = view.centre
        return (
            self.level in ("", centre.level)
            and self.condition in ("", view.condition)
            and (not self.district or is_within(centre.unit, self.district, inventory))
            and (not self.text or self._has_text(view))
        )

    def _has_text(self, view: CentreView) -> bool:
        texts = (view.centre.id, view.centre.name_vi, view.centre.name_en)
        return match_rank(fold_accents(self.text), map(fold_accents, texts)) is not None


def centre_table(views: Iterable[CentreView], locale: PageLocale, links: PageLinks, now: int, name: str) -> PageTable:
    """Return centres as a table, in the order given."""
    columns = (
        TableColumn("centre", locale.t("centre")),
        TableColumn("condition", locale.t("condition"), "state"),
        TableColumn("waiting", locale.t("waiting"), "count"),
        TableColumn("wait", locale.t("wait_today"), "minutes"),
        TableColumn("counters", locale.t("counters"), "count"),
        TableColumn("devices", locale.t("find_devices_not_working"), "count"),
        TableColumn("last_data", locale.t("last_data"), "time"),
    )
    rows = tuple(_centre_row(view, locale, links, now) for view in views)
    return PageTable(name, locale.t("centres"), columns, rows, CENTRES_SHOWN)


def _centre_row(view: CentreView, locale: PageLocale, links: PageLinks, now: int) -> PageTableRow:
    faulty = sum(d.state != "up" for d in view.devices_in_service)
    counters = locale.t("of", part=view.counters_open, whole=view.centre.counters) if view.centre.counters else ""
    why = "; ".join(locale.reason(reason, now) for reason in view.assessment.reasons[:2])
    return PageTableRow(
        (
            TableCell(locale.name(view.centre), href=links.centre(view.centre.id), note=why),
            TableCell(view.condition),
            TableCell(view.waiting),
            TableCell(view.today.wait.mean_s),
            TableCell(view.counters_open, counters),
            TableCell(faulty),
            TableCell(view.last_data, locale.since(view.last_data, now)),
        )
    )


def unit_table(units: Sequence[UnitView], locale: PageLocale, links: PageLinks, now: int, caption: str) -> PageTable:
    """Return units with the sums over their centres as a table."""
    columns = (
        TableColumn("unit", locale.t("find_unit")),
        TableColumn("condition", locale.t("condition"), "state"),
        TableColumn("centres", locale.t("nav_centres"), "count"),
        TableColumn("in_trouble", locale.t("find_in_trouble"), "count"),
        TableColumn("waiting", locale.t("waiting"), "count"),
        TableColumn("wait", locale.t("wait_today"), "minutes"),
        TableColumn("counters", locale.t("counters"), "count"),
        TableColumn("last_data", locale.t("last_data"), "time"),
    )
    rows = tuple(
        PageTableRow(
            (
                TableCell(unit.unit.name, href=links.unit(unit.unit.code)),
                TableCell(unit.condition) if unit.centres else TableCell(None),
                TableCell(len(unit.centres)),
                TableCell(unit.in_trouble),
                TableCell(unit.waiting),
                TableCell(unit.today.wait.mean_s),
                TableCell(unit.counters_open, locale.t("of", part=unit.counters_open, whole=unit.counters)),
                TableCell(unit.last_data, locale.since(unit.last_data, now)),
            )
        )
        for unit in units
    )
    return PageTable("units", caption, columns, rows)


def page_frame(queries: Queries, title: str, sentence: str, mood: str, newest: int | None) -> dict[str, Any]:
    """Return what every page about the present shows around its content; `newest` is Unix ms."""
    context = network_context(queries, title, sentence, mood)
    return {**context, "last_data": newest, "freshness": Freshness(newest, context["now"])}


def build_list_context(
    queries: Queries, locale: PageLocale, links: PageLinks, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Gather what the list of centres shows: those that the reader's filter admits, worst first."""
    network, wanted = queries.network(), CentreFilter.from_parameters(parameters)
    views = network.centre_views()
    shown = sort_worst_first([v for v in views if wanted.admits(v, network.inventory)])
    tree = build_unit_tree(network)
    frame = page_frame(
        queries,
        locale.t("nav_centres"),
        locale.t("find_centres_shown", n=len(shown), all=len(views)),
        "period",
        queries.network_status().last_data,
    )
    twin_condition = urlencode({"condition": wanted.condition}) if wanted.condition else ""
    return frame | {
        "tables": (centre_table(shown, locale, links, network.now, "centres"),),
        "wanted": wanted,
        "districts": [(view.unit.code, view.unit.name) for view in tree.districts],
        "levels": [level for level in LEVELS if any(v.centre.level == level for v in views)],
        "conditions": [c for c in CONDITIONS_WORST_FIRST if any(v.condition == c for v in views)],
        "twin": f"/api/v1/centres?{twin_condition}".rstrip("?"),
    }


def build_unit_context(queries: Queries, locale: PageLocale, links: PageLinks, code: str) -> dict[str, Any]:
    """Gather what the page of an administrative unit shows. Raises NotFound."""
    network = queries.network()
    view = build_unit_tree(network).find(code)
    parent = network.inventory.units.get(view.unit.parent)
    tables = [centre_table(view.centres, locale, links, network.now, "centres")]
    if view.children:
        tables.append(unit_table(view.children, locale, links, network.now, locale.t("find_units_below")))
    frame = page_frame(queries, view.unit.name, unit_sentence(view, locale), view.condition, view.last_data)
    return frame | {
        "unit": view,
        "parent": parent,
        "tables": tuple(tables),
        "twin": f"/api/v1/units/{code}",
        "compare": links.page("/compare"),
    }


def unit_sentence(view: UnitView, locale: PageLocale) -> str:
    """Return the state of a unit's centres in a sentence."""
    if not view.centres:
        return locale.t("find_unit_none")
    total, troubled = len(view.centres), view.in_trouble
    if not troubled:
        return locale.t("find_unit_good", n=total)
    return locale.t("find_unit_trouble", n=troubled, all=total)
