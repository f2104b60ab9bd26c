"""The page of signed commitments in words; it must not compute figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.pages.freshness import Freshness
from api.pages.kpis import amount, gap_text, value_text
from telemetry.core.inventory import local_date
from telemetry.queries.commitments import read_commitments

if TYPE_CHECKING:
    from api.pages.kpis import ValueText
    from api.pages.language import PageLocale
    from telemetry.core.kpi.commitments import CommitmentState
    from telemetry.queries.commitments import CommitmentReading
    from telemetry.queries.service import Queries

_ICONS = {"fulfilled": "✓", "on_track": "✓", "missed": "▲", "off_track": "▲", "no_pace": "○", "no_source": "○"}
_TONES = {"fulfilled": "target_met", "on_track": "target_met", "missed": "target_missed", "off_track": "target_missed"}


@dataclass(frozen=True, slots=True)
class CommitmentLine:
    """One commitment in words: who, what, the value by its day, what was measured, and where that leads."""

    committer: str
    indicator: str
    level: str
    target: str
    measured: ValueText | None
    month: str
    gap: str
    state: CommitmentState
    icon: str
    tone: str
    sample: bool
    document: str


def build_context(queries: Queries, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    readings = read_commitments(queries.indicators, queries.inventory(), queries.now())
    lines = [commitment_line(reading, queries, locale) for reading in readings]
    newest = queries.network_status().last_data
    return {
        "title": locale.t("commitments_title"),
        "lines": lines,
        "simulated": queries.network_status().has_simulated_data,
        "freshness": Freshness(newest, queries.now(), follows=False),
        "now": queries.now(),
        "inventory": queries.inventory(),
        "health": queries.store_stats(),
    }


def commitment_line(reading: CommitmentReading, queries: Queries, locale: PageLocale) -> CommitmentLine:
    """Return one commitment in words."""
    status, indicator, one = reading.status, reading.indicator, reading.status.commitment
    by = locale.plain_date(one.by)
    return CommitmentLine(
        reading.committer,
        f"{indicator.id} {locale.name(indicator)}",
        locale.t(f"level_{one.level}") if one.level else "",
        locale.t("kpi_target", value=amount(indicator, one.value, locale), by=by),
        None if reading.value is None else value_text(indicator, reading.value, locale),
        "" if reading.window is None else f"{local_date(reading.window.start, queries.zone()):%m/%Y}",
        gap_text(indicator, status.gap, locale),
        status.state,
        _ICONS[status.state],
        _TONES.get(status.state, "target_none"),
        one.sample,
        one.document,
    )
