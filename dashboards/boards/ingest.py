"""The dashboard of ingest and rollup: events received, stored and folded; it must not be about centres or people."""

from __future__ import annotations

from dashboards.boards.rates import rate_of
from dashboards.panels import GREEN, RED, Dashboard, Panel, PanelQuery, Section, ShownValue, Threshold, graph, stat

YES_NO = (ShownValue(0, "no", RED), ShownValue(1, "yes", GREEN))
_WORKER = "{{instance}}"
_COMPLETENESS = (
    "Rows stored, refused or declared dropped, of all rows that devices ever numbered. Below 1: rows are still in "
    "outboxes, or missing."
)
_LAG = "Age of the newest event at the last write. It also rises while a backlog arrives."
_AGE = "Age of the newest change of recent hours that is folded."


def ingest_board(time_zone: str) -> Dashboard:
    """Return the dashboard of the way of an event: received, stored, folded; and of what was not stored."""
    return Dashboard(
        "motcua-ingest",
        "Motcua: ingest and rollup",
        "Events received, stored and folded, what was refused, and whether each process works.",
        (_now(), _events(), _rollup(), _processes()),
        time_zone=time_zone,
    )


def _now() -> Section:
    alarm = Threshold(1, RED)
    letters = "sum(max by (reason) (motcua_dead_letters_total)) or vector(0)"
    units = "count(max by (unit) (motcua_unit_set_aside) > 0) or vector(0)"
    return Section(
        "Now",
        (
            stat("Events stored per second", "motcua:ingest_events_stored:rate5m", unit="cps"),
            stat("Events in the store", "max(motcua_events_stored)", "Agents' events, at most ten seconds ago."),
            stat("Completeness", "motcua:completeness_ratio:min", _COMPLETENESS, unit="percentunit"),
            stat("Lag", "max(motcua_ingest_lag_seconds)", _LAG, unit="s"),
            stat("Age of the data", "motcua:rollup_age_seconds:min", _AGE, unit="s", alarm=Threshold(120, RED)),
            stat("Dead letters", letters, "Rows rejected or deferred since the store began."),
            stat("Units set aside", units, "Their stored data cannot be read: shown as unknown.", alarm=alarm),
            stat("Workers ready", "sum(motcua_ingest_ready)", "Connected, and the last write succeeded."),
        ),
    )


def _events() -> Section:
    received, writes = rate_of("motcua_ingest_events_in_total"), "motcua_ingest_write_seconds_bucket"
    refused = {"{{reason}}": rate_of("motcua_ingest_events_refused_total", "reason")}
    slow = {_WORKER: f"histogram_quantile(0.99, {rate_of(writes, 'instance, le')})"}
    failed = {_WORKER: rate_of("motcua_ingest_write_failures_total", "instance")}
    waiting = {_WORKER: "max by (instance) (motcua_ingest_waiting_messages)"}
    return Section(
        "Events",
        (
            graph(
                "Events per second",
                {"stored": "motcua:ingest_events_stored:rate5m", "received": received},
                unit="cps",
            ),
            graph("Refused events per second", refused, "Rejected, deferred or unreadable, by reason.", unit="cps"),
            graph("Lag", {_WORKER: "max by (instance) (motcua_ingest_lag_seconds)"}, _LAG, unit="s"),
            graph("Duration of a write, 99th percentile", slow, "Of five minutes; none while idle.", unit="s"),
            graph("Failed writes per second", failed, "They are tried again.", unit="cps"),
            graph("Messages that wait for their write", waiting, "Agents keep their rows until then."),
        ),
    )


def _rollup() -> Section:
    failures = {"{{unit}}": "max by (unit) (motcua_fold_failures_total)"}
    return Section(
        "Rollup",
        (
            graph("Age of the data", {"age": "motcua:rollup_age_seconds:min"}, _AGE, unit="s"),
            graph(
                "Older hours that wait to be folded",
                {"hours": "max(motcua_rollup_backlog)"},
                "Those of each centre or system for itself; late data make new ones.",
            ),
            graph("Failures to read or fold, by unit", failures, "A unit without a failure has no series."),
        ),
    )


def _processes() -> Section:
    memory = {_WORKER: 'max by (job, instance) (process_resident_memory_bytes{job=~"motcua-.*"})'}
    states = (
        PanelQuery('max by (instance) (motcua_source_up{source="store"})', f"{_WORKER} reads the store"),
        PanelQuery("min by (instance) (motcua_ingest_connected)", f"{_WORKER} connected"),
        PanelQuery("min by (instance) (motcua_ingest_ready)", f"{_WORKER} ready"),
        PanelQuery('up{job=~"motcua-.*"}', f"{_WORKER} scraped"),
    )
    return Section(
        "Processes",
        (
            Panel("Scraped, connected, ready", states, kind="state-timeline", width=12, value_texts=YES_NO),
            graph("Resident memory", memory, "Of processes that report it.", unit="bytes", width=12),
        ),
    )
