"""Which figure of the API each number of a page must be: one line for a column or stat. It must not read a store.

A field is a path into the API's row, or a function of the row; a format writes it as the English page does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale
from telemetry.core.calendar.windows import to_ms
from tests.program.network import NOW, ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json = Any
WORDS = PageLocale("en", load_messages()["en"], ZONE)
DASH = "–"


def read(row: Json, field: str | Callable[[Json], Json]) -> Json:
    """Return a field of a row; None where a part of its path is null."""
    if callable(field):
        return field(row)
    return reduce(lambda value, name: None if value is None else value[name], field.split("."), row)


def _or_dash(write: Callable[[Any], str]) -> Callable[[Json], str]:
    return lambda value: DASH if value is None else write(value)


count = _or_dash(WORDS.number)
decimal = _or_dash(WORDS.decimal)
minutes = _or_dash(WORDS.minutes)
share = _or_dash(WORDS.share)
percent = _or_dash(WORDS.percent)
as_it_is = _or_dash(str)
clock = _or_dash(lambda text: WORDS.since(to_ms(datetime.fromisoformat(text)), NOW))
date_time = _or_dash(lambda text: WORDS.date_and_time(to_ms(datetime.fromisoformat(text))))
day = _or_dash(lambda text: WORDS.day(datetime.fromisoformat(text).date()))
hours = _or_dash(lambda ms: WORDS.t("kpi_hours", h=WORDS.decimal(ms / 3_600_000)))
milliseconds = _or_dash(lambda ms: f"{WORDS.number(ms)} ms")
burn = _or_dash(lambda rate: f"{WORDS.decimal(rate)} ×")


def covered(row: Json) -> str:
    """Write availability: as a range in whole per cent when too little is known."""
    if row["coverage_sufficient"] is not False or not row["coverage"]:
        return percent(row.get("availability", row.get("value")))
    low, high = floor(round(100 * row["low"], 6)), ceil(round(100 * row["high"], 6))
    return f"{low}–{WORDS.percent(high / 100 if high < 100 else row['high'])}"


def _figure(row: Json, value: float | None) -> str | None:
    if value is None:
        return "never" if row["state"] == "bad" else None
    units = {"disk": share, "instances": count}
    return units.get(row["id"], length)(value)


def figure_value(row: Json) -> str | None:
    """Write a database's own figure in its unit."""
    return _figure(row, row["value"])


def figure_limit(row: Json) -> str:
    """Write the limit of a database's own figure."""
    return f"at {'least' if row['id'] == 'instances' else 'most'} {_figure(row, row['limit'])}"


def length(seconds: float) -> str:
    """Write a length of an incident: hours from two hours on."""
    whole = round(seconds / 60)
    hours = WORDS.t("inc_hours", h=whole // 60, m=whole % 60)
    return WORDS.minutes(seconds) if whole < 120 else hours


@dataclass(frozen=True)
class Column:
    """A column of a page's table, the field of the API's row that it shows, and how."""

    key: str
    field: str | Callable[[Json], Json]
    write: Callable[[Json], str]


@dataclass(frozen=True)
class TableFigures:
    """A table of a page and the API's rows that it shows; rows are paired by the text of the cell at `place`.

    `pick` returns the rows of the answer; `is_part`: the page shows some of them alone.
    """

    address: str
    table: str
    api: str
    name: Column
    columns: tuple[Column, ...]
    pick: Callable[[Json], list[Json]] = list
    is_part: bool = False
    place: int = 0


@dataclass(frozen=True)
class StatFigure:
    """A stat of a page by its heading; the page may add words after it."""

    address: str
    heading: str
    api: str
    field: str | Callable[[Json], Json]
    write: Callable[[Json], str]


def _of(columns: Mapping[str, tuple[str | Callable[[Json], Json], Callable[[Json], str]]]) -> tuple[Column, ...]:
    return tuple(Column(key, field, write) for key, (field, write) in columns.items())


def indicator_value(row: Json) -> str:
    """Write the value of an indicator, or why it has none, as the list of indicators does."""
    if row["value"] is None:
        return f"{'○' if row['state'] == 'no_source' else '?'} {WORDS.t('kpi_' + row['state'])}"
    match row["unit"]:
        case "ratio":
            return WORDS.share(row["value"])
        case "s":
            return WORDS.minutes(row["value"])
        case "score":
            return WORDS.number(row["value"], 2)
        case _:
            return WORDS.number(round(row["value"]))


def indicator_parts(row: Json) -> str:
    """Write numerator and denominator; times of all figures of a side in hours."""
    if row["numerator"] is None or row["denominator"] is None:
        return DASH
    sides = ((row["numerator"], row["numerator_figures"]), (row["denominator"], row["denominator_figures"]))
    return " / ".join(
        WORDS.t("kpi_hours", h=WORDS.decimal(amount / 3_600_000))
        if all(name.endswith("_ms") for name in names)
        else WORDS.number(amount)
        for amount, names in sides
    )


INDICATORS = _of({
    "Value": (indicator_value, as_it_is),
    "Numerator / denominator": (indicator_parts, as_it_is),
})  # fmt: skip


def completeness_by_centre(rows: list[Json]) -> list[Json]:
    """Add the rows of devices by centre; the answer has devices alone."""
    by_centre: dict[str, dict[str, float]] = {}
    for row in rows:
        own = by_centre.setdefault(row["device"].rpartition("-")[0], {})
        for name in ("missing", "stored", "refused", "dropped", "highest"):
            own[name] = own.get(name, 0) + row[name]
    return [{**own, "centre": ident, "ratio": 1 - own["missing"] / own["highest"]} for ident, own in by_centre.items()]


def open_counters(row: Json) -> str:
    return f"{row['counters_open']}/{row['counters']}" if row["counters"] else str(row["counters_open"])


NAME = Column("", "name_en", as_it_is)
CENTRES = _of({
    "waiting": ("waiting", count),
    "wait": ("today.wait.mean_s", minutes),
    "counters": (open_counters, as_it_is),
    "devices": (lambda row: row["devices"]["total"] - row["devices"]["up"], count),
    "last_data": ("last_data", clock),
})  # fmt: skip
UNITS = _of({
    "centres": ("centres", count),
    "in_trouble": ("in_trouble", count),
    "waiting": ("waiting", count),
    "wait": ("wait_mean_s", minutes),
    "counters": (open_counters, as_it_is),
    "last_data": ("last_data", clock),
})  # fmt: skip
QUEUES = _of({
    "waiting": ("waiting", count),
    "serving": ("serving", count),
    "longest_wait_s": ("oldest_wait_s", minutes),
    "expected_p90_s": ("expected_wait.p90_s", minutes),
    "issued": ("today.issued", count),
    "wait_mean_s": ("today.wait.mean_s", minutes),
})  # fmt: skip
HALF_HOURS_TODAY = _of({
    "issued": ("issued", count),
    "expected": ("expected", decimal),
    "p10": ("p10", count),
    "p90": ("p90", count),
    "wait_mean_s": ("wait.mean_s", minutes),
    "usual_wait_p10_s": ("usual_wait.p10_s", minutes),
    "usual_wait_p90_s": ("usual_wait.p90_s", minutes),
})  # fmt: skip
PROFILE = _of({
    "days": (lambda row: len(row["dates"]), count),
    "issued": ("issued", count),
    "issued_per_day": ("issued_per_day", decimal),
    "calls": ("wait.count", count),
    "wait_mean_s": ("wait.mean_s", minutes),
})  # fmt: skip
STRIP = _of({
    "Availability": (lambda row: row, covered),
    "Coverage": ("coverage", percent),
    "Up": ("seconds.up", minutes),
    "Down": ("seconds.down", minutes),
    "Unknown": ("seconds.unknown", minutes),
})  # fmt: skip
CENTRE_DAYS = _of({
    "availability": (lambda row: row, covered),
    "coverage": ("coverage", percent),
    "up_s": (lambda row: _open_seconds(row, "up"), minutes),
    "down_s": (lambda row: _open_seconds(row, "down"), minutes),
    "unknown_s": (lambda row: _open_seconds(row, "unknown"), minutes),
})  # fmt: skip
HISTORY = _of({
    "Issued": ("issued", count),
    "Served": ("served", count),
    "Abandoned": ("abandoned", count),
    "No-shows": ("no_show", count),
    "Mean wait": ("wait.mean_s", minutes),
    "90% at most": ("wait.p90_s", minutes),
    "Called within 15 min": ("within.ratio", share),
})  # fmt: skip
HISTORY_CHARTS = {
    "Arrivals by day": _of({"Arrivals": ("issued", count), "Served": ("served", count)}),
    "Waits by day (minutes)": _of({
        "Mean": ("wait.mean_s", minutes), "90% waited at most": ("wait.p90_s", minutes),
    }),
    "Share called within 15 min": _of({"Within target": ("within.ratio", share)}),
    "Abandoned and no-shows": _of({"Abandoned": ("abandoned", count), "No-shows": ("no_show", count)}),
}  # fmt: skip
SYSTEMS = _of({
    "level": (lambda row: row["level"] or None, count),
    "availability_24h": ("availability_24h", covered),
    "availability_7d": ("availability_7d", covered),
    "availability_28d": ("availability_28d", covered),
    "p50_ms": ("latency_24h.p50_ms", count),
    "p95_ms": ("latency_24h.p95_ms", count),
    "tls_days": ("tls_expiry.days", count),
})  # fmt: skip
VANTAGE = _of({"at": ("at", clock), "latency_ms": ("latency_ms", count), "tls_days": ("tls_days", count)})
FIGURES = _of({"at": ("at", clock), "value": (figure_value, as_it_is), "limit": (figure_limit, as_it_is)})
INCIDENTS = _of({
    "down_s": (lambda row: row["seconds"]["down"] if row["whole_seconds"]["down"] else None, _or_dash(length)),
    "unknown_s": (lambda row: row["seconds"]["unknown"] if row["whole_seconds"]["unknown"] else None, _or_dash(length)),
})  # fmt: skip
SLOS = _of({"goal": ("target", percent), "measured": ("value", percent)})
CENTRE_SLOS = _of({"goal": ("target", percent), "ratio": ("value", percent), "coverage": ("coverage", percent)})
SLO_DAYS = _of({
    "measured": ("value", percent), "burn": ("burn", burn), "left_share": ("budget.remaining_ratio", percent),
})  # fmt: skip
LATENCY = _of({"Median": ("latency.p50_ms", milliseconds), "95 % within": ("latency.p95_ms", milliseconds)})
IMPORTED = _of({
    "Waiting": ("waiting", count),
    "Mean wait today": ("today.wait.mean_s", minutes),
    "Counters open": ("counters_open", count),
    "Last contact": ("last_data", clock),
})  # fmt: skip
REPORT_DAYS = _of({
    "Visitors received": (lambda row: row.get("issued", 0), count),
    "Mean wait": (lambda row: _mean_s(row, "wait_sum_ms", "waits"), minutes),
})  # fmt: skip
REPORT_SYSTEMS = _of({
    "coverage": (lambda row: _coverage(row["time"]), percent),
    "down": (lambda row: row["time"].get("down", 0), minutes),
    "unknown": (lambda row: row["time"].get("unknown", 0), minutes),
})  # fmt: skip
CENTRE_DEVICES = _of({
    "backlog": ("outbox_rows", count), "last_data": ("last_event", clock), "last_contact": ("last_contact", clock),
})  # fmt: skip
DEVICES = _of({"outbox_rows": ("outbox_rows", count), "last_event": ("last_event", clock)})
OBJECTIVES = _of({
    name: (f"standing.{name}", count) for name in ("exhausted", "at_risk", "healthy", "no_data")
})  # fmt: skip
COMPLETENESS = _of({
    "outboxes": ("spools", count),
    "missing": ("missing", count),
    "stored": ("stored", count),
    "refused": ("refused", count),
    "dropped": ("dropped", count),
    "completeness": ("ratio", percent),
})  # fmt: skip
BURN = _of({"long": ("long", burn), "short": ("short", burn), "threshold": ("threshold", burn)})
MONTHS = _of({
    "value": (lambda row: "No source" if row["state"] == "no_source" else WORDS.number(row["value"]), as_it_is),
    "numerator": ("numerator", count),
    "denominator": ("denominator", count),
})  # fmt: skip
REPORT_TICKETS = _of({
    "issued": (lambda row: row["tickets"].get("issued", 0), count),
    "served": (lambda row: row["tickets"].get("served", 0), count),
    "mean": (lambda row: _mean_s(row["tickets"], "wait_sum_ms", "waits"), minutes),
    "p90": (lambda row: _seconds(row["tickets"].get("p90_ms")), minutes),
    "within": (lambda row: _ratio(row["tickets"].get("within", 0), row["tickets"].get("waits", 0)), share),
})  # fmt: skip
REPORT_SERVICES = (
    *REPORT_TICKETS,
    Column("service_time", lambda row: _mean_s(row["tickets"], "service_sum_ms", "services"), minutes),
)
REPORT_COVERAGE = Column("coverage", lambda row: _coverage(row["time"]), percent)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _open_seconds(row: Json, state: str) -> float | None:
    """Return the time of a state on a day that was open; a closed day shows a dash."""
    return row["seconds"][state] if row["seconds"]["open"] else None


def _mean_s(tickets: Json, sum_name: str, count_name: str) -> float | None:
    return _ratio(tickets.get(sum_name, 0) / 1000, tickets.get(count_name, 0))


def _coverage(time: Json) -> float | None:
    known = time.get("up", 0) + time.get("down", 0)
    return _ratio(known, known + time.get("unknown", 0))
