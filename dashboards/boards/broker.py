"""The dashboard of the broker as ingest meets it; it must not show figures that only $SYS/broker/# has."""

from __future__ import annotations

from dashboards.boards.ingest import YES_NO
from dashboards.boards.rates import rate_of
from dashboards.panels import Dashboard, Panel, PanelQuery, Section, graph, stat

_WORKER = "{{instance}}"


def broker_board(time_zone: str) -> Dashboard:
    """Return the dashboard of connections, messages and receipts between the broker and ingest."""
    return Dashboard(
        "motcua-broker",
        "Motcua: broker",
        "The broker as ingest meets it: connections, messages and receipts. Its own figures are in $SYS/broker/#.",
        (_now(), _messages(), _connections()),
        time_zone=time_zone,
    )


def _now() -> Section:
    connections = "sum(increase(motcua_ingest_connections_total[1h]))"
    return Section(
        "Now",
        (
            stat("Connected workers", "sum(motcua_ingest_connected)", "Workers with a connection to the broker."),
            stat("Connections in an hour", connections, "More than one a worker: connections were lost."),
            stat("Messages per second", rate_of("motcua_ingest_frames_total"), "Answered by ingest.", unit="cps"),
            stat("Messages that wait", "sum(motcua_ingest_waiting_messages)", "For their write to the store."),
        ),
    )


def _messages() -> Section:
    answered = {
        "messages": rate_of("motcua_ingest_frames_total"),
        "receipts": rate_of("motcua_ingest_receipts_total"),
    }
    withheld = {
        "larger than the broker's packets": rate_of("motcua_ingest_receipts_too_large_total"),
        "device had enough for one write": rate_of("motcua_ingest_receipts_withheld_total"),
    }
    return Section(
        "Messages",
        (
            graph("Messages and receipts per second", answered, unit="cps", width=12),
            graph("Receipts not sent, per second", withheld, "The devices send such rows again.", unit="cps", width=12),
        ),
    )


def _connections() -> Section:
    connected = PanelQuery("min by (instance) (motcua_ingest_connected)", _WORKER)
    made = {_WORKER: "sum by (instance) (increase(motcua_ingest_connections_total[5m]))"}
    return Section(
        "Connections",
        (
            Panel("Connected", (connected,), kind="state-timeline", width=12, value_texts=YES_NO),
            graph("Connections in five minutes", made, "A worker that keeps its connection has none.", width=12),
        ),
    )
