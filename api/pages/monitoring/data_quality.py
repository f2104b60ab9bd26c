"""The page of data quality: what is wrong with the data with its remedy, and completeness; it must not compute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from api.pages.frame.freshness import Freshness
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.objectives.texts import duration_words, place_href, place_name
from telemetry.core.administrative_tree import is_within, units_of_level
from telemetry.core.scope import Scope
from telemetry.core.slo.periods import settled_until
from telemetry.queries.completeness import completeness_by_centre
from telemetry.queries.data_quality import (
    DEFERRED_REASONS,
    QUALITY_ISSUE_KINDS,
    UNMEASURED_FIGURES,
    centre_of_device,
    clock_ahead_ms,
    count_issues,
    narrow_issues,
    read_quality_issues,
)
from telemetry.queries.slo_filter import check_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.fold.live_row_types import DeviceNow
    from telemetry.queries.completeness import CentreCompleteness, DeviceCompleteness
    from telemetry.queries.data_quality import QualityIssue, QualityIssueKind
    from telemetry.queries.service import Queries

PART_SIZE = 25
DOCUMENT_BY_KIND: Mapping[QualityIssueKind, str] = {
    "unreadable": "docs/how-to/watch.md", "folding_behind": "docs/how-to/watch.md",
    "missing_rows": "docs/how-to/watch.md", "silent_device": "docs/how-to/troubleshoot.md",
    "stale_system": "docs/reference/sources.md", "silent_vantage": "docs/reference/sources.md",
    "dropped_rows": "docs/how-to/troubleshoot.md", "rejected": "docs/how-to/troubleshoot.md",
    "refused_rows": "docs/how-to/troubleshoot.md", "deferred": "docs/how-to/troubleshoot.md",
    "clock_ahead": "docs/how-to/watch.md", "waiting_upload": "docs/how-to/troubleshoot.md",
    "undeclared_service": "docs/how-to/connect-a-kiosk.md",
}  # fmt: skip
"""Which document of the project has the steps in full."""


@dataclass(frozen=True, slots=True)
class QualityFilter:
    """Which issues, centres and devices the page shows; empty texts narrow nothing."""

    kind: QualityIssueKind | None
    district: str

    @classmethod
    def from_query(cls, params: Mapping[str, str], queries: Queries) -> QualityFilter:
        """Read the page's parameters; raises NotFound for an unknown district, ignores an unknown kind."""
        kind = next((kind for kind in QUALITY_ISSUE_KINDS if kind == params.get("kind")), None)
        district = params.get("district", "")
        return cls(kind, check_unit(district, queries.inventory()) if district else "")

    def includes_centre(self, centre: str, queries: Queries) -> bool:
        """Return whether a centre lies in the district, if one was asked for."""
        declared = queries.inventory().centres.get(centre)
        if not self.district:
            return True
        return declared is not None and is_within(declared.unit, self.district, queries.inventory())


def build_context(
    queries: Queries, locale: PageLocale, params: Mapping[str, str], served: frozenset[str]
) -> dict[str, Any]:
    """Gather what the template shows."""
    wanted, inventory, now = QualityFilter.from_query(params, queries), queries.inventory(), queries.now()
    issues, stats, status = read_quality_issues(queries), queries.store_stats(), queries.network_status()
    shown = narrow_issues(issues, wanted.kind, wanted.district or None)
    counts = count_issues(issues)
    devices = [
        device
        for device in stats.completeness.devices
        if wanted.includes_centre(centre_of_device(device.device, inventory), queries)
    ]
    return {
        "title": locale.t("quality_title"),
        "tables": [
            issue_table(shown, queries, locale, served),
            centre_table(devices, queries, locale),
            device_table(devices, queries, locale, served),
            reason_table(stats.dead_letters, locale),
        ],
        "counts": counts,
        "total": len(issues),
        "wanted": wanted,
        "kinds": QUALITY_ISSUE_KINDS,
        "remedies": [(kind, DOCUMENT_BY_KIND[kind], counts[kind]) for kind in QUALITY_ISSUE_KINDS],
        "unmeasured": UNMEASURED_FIGURES,
        "districts": [(unit.code, unit.name) for unit in units_of_level("district", inventory)],
        "overall": stats.completeness.overall,
        "missing": stats.completeness.overall.missing,
        "backlog_hours": stats.backlog_hours,
        "current_until": stats.current_until or None,
        "settled": settled_until(now, inventory.zone),
        "mood": "degraded" if issues else "unknown" if status.stale else "operational",
        "api_href": "/api/v1/data-quality?" + urlencode({"limit": 500, **_api_filter(wanted)}),
        "simulated": status.has_simulated_data,
        "freshness": Freshness(status.last_data, now),
        "now": now,
        "inventory": inventory,
        "health": stats,
    }


def _api_filter(wanted: QualityFilter) -> dict[str, str]:
    return {name: value for name, value in (("kind", wanted.kind), ("district", wanted.district)) if value}


def issue_table(
    issues: Sequence[QualityIssue], queries: Queries, locale: PageLocale, served: frozenset[str]
) -> PageTable:
    """Return what is wrong with the data, worst first, each with its remedy."""
    columns = (
        TableColumn("issue", locale.t("quality_issue")),
        TableColumn("place", locale.t("quality_place")),
        TableColumn("amount", locale.t("quality_amount"), "decimal"),
        TableColumn("at", locale.t("quality_at"), "time"),
        TableColumn("remedy", locale.t("quality_remedy")),
    )
    rows = tuple(_issue_row(issue, queries, locale, served) for issue in issues)
    return PageTable("issues", locale.t("quality_issues"), columns, rows, PART_SIZE)


def _issue_row(issue: QualityIssue, queries: Queries, locale: PageLocale, served: frozenset[str]) -> PageTableRow:
    inventory = queries.inventory()
    place = place_name(issue.scope, inventory, locale) if issue.scope else locale.t("quality_whole_store")
    href = place_href(issue.scope, inventory, served) if issue.scope else ""
    return PageTableRow(
        (
            TableCell(locale.t(f"issue_{issue.kind}"), note=partial(detail_words, issue, queries, locale)),
            TableCell(place, href=href),
            TableCell(issue.amount, partial(amount_words, issue, locale)),
            TableCell(issue.at),
            TableCell(locale.t(f"fix_{issue.kind}"), href=f"#remedy-{issue.kind}"),
        )
    )


def amount_words(issue: QualityIssue, locale: PageLocale) -> str:
    """Return an issue's amount with its unit; in words where no report ever arrived."""
    if issue.amount is None:
        return locale.t("quality_not_today" if issue.detail == "today" else "quality_never")
    if issue.unit == "seconds":
        return duration_words(issue.amount, locale)
    return locale.t(f"unit_{issue.unit}", n=round(issue.amount))


def detail_words(issue: QualityIssue, queries: Queries, locale: PageLocale) -> str:
    """Return what an issue is about in words: a reason, a device or a service; empty without one."""
    if issue.kind in {"rejected", "deferred"}:
        return reason_words(issue.detail, locale)
    if issue.kind == "silent_vantage":
        return place_name(Scope.device(issue.detail), queries.inventory(), locale)
    return issue.detail if issue.kind in {"undeclared_service", "unreadable"} else ""


def reason_words(reason: str, locale: PageLocale) -> str:
    """Return the reason of a dead letter in words; one that a later version writes by its name."""
    return locale.t(f"letter_{reason}") if f"letter_{reason}" in locale.messages else reason


def centre_table(devices: Iterable[DeviceCompleteness], queries: Queries, locale: PageLocale) -> PageTable:
    """Return completeness by centre, most missing rows first, with when figures of its past were last corrected."""
    inventory, rows = queries.inventory(), completeness_by_centre(devices, queries.inventory())
    columns = (
        TableColumn("centre", locale.t("centre")),
        *_row_columns(locale),
        TableColumn("last_data", locale.t("last_data"), "time"),
        TableColumn("corrected", locale.t("quality_corrected"), "time"),
    )
    centres = queries.snapshot().centres

    def cells(row: CentreCompleteness) -> tuple[TableCell, ...]:
        live = centres.get(row.centre)
        return (
            TableCell(
                place_name(Scope.centre(row.centre), inventory, locale),
                href=f"/centres/{row.centre}",
            ),
            *_row_cells(row),
            TableCell(live.last_data if live else None),
            TableCell((live.reopened or None) if live else None),
        )

    return PageTable(
        "centres", locale.t("quality_centres"), columns, tuple(PageTableRow(cells(row)) for row in rows), PART_SIZE
    )


def device_table(
    devices: Sequence[DeviceCompleteness], queries: Queries, locale: PageLocale, served: frozenset[str]
) -> PageTable:
    """Return completeness by device, most missing rows first, with its last contact, rows that wait and its clock."""
    columns = (
        TableColumn("device", locale.t("quality_device")),
        TableColumn("outboxes", locale.t("quality_outboxes"), "count"),
        *_row_columns(locale),
        TableColumn("waiting", locale.t("quality_waiting"), "count"),
        TableColumn("ahead", locale.t("quality_ahead"), "minutes"),
        TableColumn("contact", locale.t("quality_contact"), "time"),
    )
    live = {device.id: device for row in queries.snapshot().centres.values() for device in row.devices}
    ordered = sorted(
        devices, key=lambda one: (-one.counts.missing, -one.counts.dropped - one.counts.refused, one.device)
    )
    rows = tuple(_device_row(one, live.get(one.device), queries, locale, served) for one in ordered)
    return PageTable("devices", locale.t("quality_devices"), columns, rows, PART_SIZE)


def _device_row(
    device: DeviceCompleteness, live: DeviceNow | None, queries: Queries, locale: PageLocale, served: frozenset[str]
) -> PageTableRow:
    scope, inventory = Scope.device(device.device), queries.inventory()
    contact = None if live is None else live.last_contact
    ahead = None if live is None or contact is None else clock_ahead_ms(live.last_event, contact) / 1000
    return PageTableRow(
        (
            TableCell(
                device.device, href=place_href(scope, inventory, served),
                note=partial(place_name, scope, inventory, locale) if device.device in inventory.devices else "",
            ),
            TableCell(device.outbox_count),
            *_row_cells(device),
            TableCell(None if live is None else live.outbox_rows),
            TableCell(ahead),
            TableCell(contact),
        )
    )  # fmt: skip


def _row_columns(locale: PageLocale) -> tuple[TableColumn, ...]:
    counted = ("missing", "stored", "refused", "dropped")
    return (
        *(TableColumn(name, locale.t(f"quality_{name}"), "count") for name in counted),
        TableColumn("completeness", locale.t("completeness"), "ratio"),
    )


def _row_cells(row: DeviceCompleteness | CentreCompleteness) -> tuple[TableCell, ...]:
    counts = row.counts
    amounts = (counts.missing, counts.stored, counts.refused, counts.dropped)
    return (*(TableCell(amount) for amount in amounts), TableCell(counts.ratio))


def reason_table(letters: Mapping[str, int], locale: PageLocale) -> PageTable:
    """Return how many rows were rejected or deferred, by reason, the most first."""
    columns = (
        TableColumn("reason", locale.t("quality_reason")),
        TableColumn("outcome", locale.t("quality_outcome")),
        TableColumn("rows", locale.t("quality_rows"), "count"),
    )
    ordered = sorted(letters.items(), key=lambda item: (-item[1], item[0]))
    rows = (
        PageTableRow((
            TableCell(reason, reason_words(reason, locale)),
            TableCell(locale.t("quality_deferred" if reason in DEFERRED_REASONS else "quality_final")),
            TableCell(count),
        ))
        for reason, count in ordered
    )  # fmt: skip
    return PageTable("reasons", locale.t("quality_reasons"), columns, tuple(rows))
