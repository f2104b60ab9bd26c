"""The results of a search; it must not find anything itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.province.centre_list import page_frame

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from api.pages.frame.links import PageLinks
    from telemetry.queries.network import NetworkView
    from telemetry.queries.search import SearchHit, SearchIndexCache
    from telemetry.queries.service import Queries

MAX_QUERY_LENGTH = 200
RESULTS_SHOWN = 50


def build_context(
    queries: Queries, locale: PageLocale, links: PageLinks, index: SearchIndexCache, query: str
) -> dict[str, Any]:
    """Gather what the template shows."""
    network, asked = queries.network(), query.strip()[:MAX_QUERY_LENGTH]
    hits = index.find(network, asked)
    columns = (
        TableColumn("name", locale.t("find_name")),
        TableColumn("kind", locale.t("find_kind")),
        TableColumn("condition", locale.t("condition"), "state"),
        TableColumn("id", locale.t("find_id")),
    )
    rows = tuple(
        PageTableRow(
            (
                TableCell(locale.name(hit), href=links.hit(hit)),
                TableCell(locale.t(f"find_kind_{hit.kind}")),
                TableCell(_condition(hit, network)),
                TableCell(hit.id),
            )
        )
        for hit in hits
    )
    sentence = locale.t("find_count", n=len(hits), query=asked) if asked else locale.t("find_hint")
    frame = page_frame(queries, locale.t("find_search"), sentence, "period", queries.network_status().last_data)
    return frame | {
        "tables": (PageTable("results", locale.t("find_search"), columns, rows, RESULTS_SHOWN),),
        "query": asked,
        "twin": f"/api/v1/search?{urlencode({'q': asked})}",
    }


def _condition(hit: SearchHit, network: NetworkView) -> str | None:
    if hit.kind == "centre":
        return network.centre_view(network.centre(hit.id)).condition
    return network.system(hit.id).condition if hit.kind == "system" else None
