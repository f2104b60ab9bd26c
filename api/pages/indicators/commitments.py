"""The page of signed commitments in words; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.pages.frame.freshness import Freshness
from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.indicators.page import amount, gap_text, value_text
from telemetry.core.inventory import local_date
from telemetry.queries.commitments import read_commitments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.queries.commitments import CommitmentReading
    from telemetry.queries.service import Queries

_ICONS = {"fulfilled": "✓", "on_track": "✓", "missed": "▲", "off_track": "▲", "no_pace": "○", "no_source": "○"}


def build_context(queries: Queries, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    readings = read_commitments(queries.indicators, queries.inventory(), queries.now())
    newest = queries.network_status().last_data
    return {
        "title": locale.t("commitments_title"),
        "count": len(readings),
        "tables": [commitment_table(readings, queries, locale)],
        "simulated": queries.network_status().has_simulated_data,
        "freshness": Freshness(newest, queries.now(), follows=False),
        "now": queries.now(),
        "inventory": queries.inventory(),
        "health": queries.store_stats(),
    }


def commitment_table(readings: Sequence[CommitmentReading], queries: Queries, locale: PageLocale) -> PageTable:
    """Return commitments: who, what, the value by its day, what was measured, and where that leads."""
    columns = (
        TableColumn("committer", locale.t("commitments_committer")),
        TableColumn("indicator", locale.t("kpi_indicator")),
        TableColumn("value", locale.t("kpi_value"), "decimal"),
        TableColumn("promise", locale.t("commitments_promise"), "decimal"),
        TableColumn("by", locale.t("commitments_by"), "date"),
        TableColumn("gap", locale.t("commitments_gap"), "decimal"),
        TableColumn("state", locale.t("commitments_state")),
    )
    rows = tuple(_commitment_row(reading, queries, locale) for reading in readings)
    return PageTable("commitments", locale.t("commitments_title"), columns, rows)


def _commitment_row(reading: CommitmentReading, queries: Queries, locale: PageLocale) -> PageTableRow:
    status, indicator, one = reading.status, reading.indicator, reading.status.commitment
    measured = None if reading.value is None else value_text(indicator, reading.value, locale)
    month = "" if reading.window is None else f"{local_date(reading.window.start, queries.zone()):%m/%Y}"
    parts = ", ".join(part for part in (month, measured.parts if measured else "") if part)
    level = locale.t(f"level_{one.level}") if one.level else ""
    state = locale.t(f"commitment_{status.state}")
    value = None if reading.value is None else reading.value.value
    note = ", ".join(part for part in (locale.t("commitments_sample") if one.sample else "", one.document) if part)
    return PageTableRow(
        (
            TableCell(reading.committer, note=note),
            TableCell(f"{indicator.id} {locale.name(indicator)}", href=f"/kpis/{indicator.id}", note=level),
            TableCell(value, measured.value if measured else "", note=parts),
            TableCell(one.value, amount(indicator, one.value, locale)),
            TableCell(one.by.isoformat()),
            TableCell(status.gap, gap_text(indicator, status.gap, locale)),
            TableCell(status.state, f"{_ICONS[status.state]} {state}"),
        )
    )
