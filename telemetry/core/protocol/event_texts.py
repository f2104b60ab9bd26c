"""What each event and each of its fields means, with an example: the texts of the generated reference. Pure values."""

from __future__ import annotations

from typing import Any

from telemetry.core.protocol import events as ev

AGENT_ONLY_EVENTS: tuple[type[ev.Event], ...] = (
    ev.OutboxDropped, ev.OutboxRefused, ev.AgentAlarm, ev.ClockStep, ev.ConfigResult, ev.CommandResult,
    ev.AgentDiagnostics,
)  # fmt: skip
"""The events that only the agent itself may append."""
EXAMPLE_TIME = 1_767_225_600_000
"""The `t` of all examples: 2026-01-01 00:00 UTC, 07:00 in Việt Nam."""
_MINUTE = 60_000
_T, _ENTERED, _CALLED = EXAMPLE_TIME, EXAMPLE_TIME - 12 * _MINUTE, EXAMPLE_TIME - 4 * _MINUTE

FIELD_MEANINGS: dict[str, str] = {
    "n": "row number in the outbox; the agent gives it",
    "t": "capture time, Unix ms",
    "ticket": "the ticket's random id, new for each customer; never the printed number",
    "queue": "the number series that the ticket is in; several services may share one",
    "service": "the group of procedures, as the inventory declares it for the centre",
    "counter": "the counter's id, unique in the centre",
    "entered": "when the ticket entered its present queue, Unix ms",
    "called": "when it was called for the service that ends here, Unix ms",
    "started": "when the customer reached the counter, Unix ms; without it service begins with the call",
    "channel": "how the ticket was taken",
    "class": "the customer's priority class, counted only",
    "call": "how often the ticket has been called, this call included",
    "calls": "how often the ticket was called",
    "reason": "why",
    "to_queue": "the queue that the ticket enters",
    "to_service": "the service that the ticket now waits for",
    "held_ms": "time in which service paused, ms",
    "outcome": "how it ended",
    "quality": "whether the service time can be trusted; only `ok` enters its mean",
    "by": "who gave the ticket up",
    "stage": "where in its course the ticket was given up",
    "field": "the field that was corrected",
    "state": "the state from `t` on",
    "queues": "the queues that the counter serves",
    "cause": "what changed the state",
    "printer": "the ticket printer's state",
    "paper_pct": "paper left, per cent",
    "screen": "the screen's state",
    "age_ms": "age of what the screen shows, ms",
    "content": "a hash of what the screen shows",
    "rating": "from 1, very poor, to 5, very good",
    "source": "where the rating was given",
    "every_ms": "the interval of these reports, ms: the report is valid for twice this time and 30 s",
    "uptime_s": "time since the device started, s",
    "fw": "the version of the device's software",
    "cpu_pct": "processor load, per cent of one core",
    "mem_pct": "memory in use, per cent",
    "disk_pct": "disk in use, per cent",
    "temp_c": "temperature, °C",
    "rssi": "signal strength of the wireless link, dBm",
    "outbox_rows": "rows that wait for a receipt",
    "dropped": "rows dropped at the outbox's cap since the agent started",
    "display": "the display's state",
    "mode": "the centre's mode",
    "counters": "the present state of every counter",
    "simulated": "whether a simulation made this report",
    "opens": "beginning of the rostered time, Unix ms",
    "closes": "end of the rostered time, Unix ms",
    "up": "whether the uplink works",
    "rtt_ms": "round-trip time, ms",
    "loss_pct": "lost packets, per cent",
    "backup": "whether the backup link is in use",
    "system": "the digital system, as the inventory declares it",
    "kind": "the kind of the probe",
    "ok": "whether the probe succeeded",
    "connector.stats.ok": "requests that succeeded in the period",
    "latency_ms": "time until the answer, ms",
    "status": "the HTTP status",
    "error": "why the probe failed",
    "tls_days": "time until the first certificate of the chain expires, days; negative when it has expired",
    "tls_certificate": "which certificate of the chain expires first: the server's own, an intermediate or the root",
    "failed": "requests that failed in the period",
    "period_ms": "length of the period that ends at `t`, ms",
    "min_ms": "shortest duration of a request, ms",
    "mean_ms": "mean duration of a request, ms",
    "max_ms": "longest duration of a request, ms",
    "last_success": "when a request last succeeded, Unix ms",
    "provider": "the payment gateway",
    "dossier": "the dossier's random id; never its public code",
    "dossier.received.channel": "how the dossier was handed in",
    "dossier.resolved.channel": "how the dossier was handed in",
    "due": "when the dossier must be done, Unix ms",
    "received": "when the dossier was received, Unix ms",
    "digital": "whether the whole course was digital",
    "ranges": "the dropped rows as pairs of first and last number",
    "count": "number of rows",
    "outbox.dropped.class": "the priority class of the rows",
    "row": "the number of the row",
    "alarm": "the fault",
    "agent.alarm.count": "how often since the last report",
    "subject": "the source or part that failed",
    "step_ms": "how far the wall clock was set forward, ms; negative: back",
    "synced": "whether the clock is synchronised now",
    "version": "the version of the remote configuration",
    "id": "the command's id",
    "command": "the command",
    "outbox_bytes": "size of the rows that wait, bytes",
    "oldest_ms": "age of the oldest row that waits, ms",
    "refused": "rows in the refused table",
    "rss_bytes": "memory of the agent, bytes",
    "reconnects": "connections after the first",
    "sources": "number of sources",
    "config_version": "the version of the remote configuration in force",
    "online": "whether the connection began or ended",
    "sid": "the connection's id",
}
"""The meaning of each field: `type.field` where a type differs, else by the field's name."""

EVENT_NOTES: dict[str, str] = {
    "ticket.issued": "Counts an arrival in its interval. Send it when the ticket is printed or booked in.",
    "ticket.called": "`t` − `entered` is the wait, counted in the interval of the call. Send it once for each queue.",
    "ticket.recalled": "Counts nothing; send it for the second call and later ones.",
    "ticket.serving_started": "Optional: with it service time begins here, without it at the call.",
    "ticket.held": "The pause counts neither as wait nor as service: report its length as `held_ms` at the end.",
    "ticket.transferred": "Ends the wait or service in this queue; the ticket's `entered` is now this `t`.",
    "ticket.finished": "Counts a served ticket and its service time in the interval of `t`.",
    "ticket.abandoned": "Counts an abandonment. A customer who was called and did not come is `ticket.no_show`.",
    "ticket.no_show": "Send it when the system gives the ticket up after its last call.",
    "ticket.closed_eod": "Has a count of its own; tickets never continue on the next day.",
    "counter.state": "Counters that are `open` or `serving` count as open. The agent's heartbeat repeats the state.",
    "kiosk.state": "`in_service` is up, `degraded` is up with a fault, `out_of_order` is down.",
    "device.heartbeat": "The agent's `host` source sends it; a program need not.",
    "centre.mode": "The pages show it. What counts as opening hours is declared in the calendar.",
    "probe.result": "The agent's `probe` source sends it; a program may send a check of its own (`report`).",
}
"""How an event enters the figures, and when to send it."""

_OF_TICKET: dict[str, Any] = {"t": _T, "ticket": "k3f9Q2xLw8", "queue": "a", "service": "land"}
_CALL = {**_OF_TICKET, "counter": "c3", "entered": _ENTERED}
_DOSSIER = {"t": _T, "dossier": "d7Yq2m", "service": "land", "due": _T + 20 * 1440 * _MINUTE}
_HEARTBEAT = {
    "t": _T, "every_ms": _MINUTE, "state": "in_service", "uptime_s": 86_400, "fw": "4.2.1", "cpu_pct": 12.5,
    "mem_pct": 41.0, "disk_pct": 37.0, "outbox_rows": 0, "printer": "ok", "paper_pct": 80.0,
    "counters": [{"counter": "c3", "state": "serving", "queues": ["a"]}],
}  # fmt: skip

EVENT_EXAMPLES: dict[str, dict[str, Any]] = {
    "ticket.issued": {**_OF_TICKET, "channel": "kiosk", "class": "elderly"},
    "ticket.called": {**_CALL, "call": 1},
    "ticket.recalled": {**_CALL, "call": 2},
    "ticket.serving_started": {**_CALL, "called": _CALLED},
    "ticket.held": {**_OF_TICKET, "counter": "c3", "reason": "document"},
    "ticket.resumed": {**_OF_TICKET, "counter": "c3", "reason": "document"},
    "ticket.transferred": {**_CALL, "called": _CALLED, "to_queue": "b", "to_service": "business"},
    "ticket.finished": {
        **_CALL, "called": _CALLED, "started": _CALLED + 30_000, "held_ms": 45_000, "outcome": "done", "quality": "ok",
    },
    "ticket.abandoned": {**_OF_TICKET, "entered": _ENTERED, "by": "customer", "stage": "waiting"},
    "ticket.no_show": {**_OF_TICKET, "entered": _ENTERED, "calls": 3},
    "ticket.closed_eod": {**_OF_TICKET, "entered": _ENTERED},
    "ticket.corrected": {"t": _T, "ticket": "k3f9Q2xLw8", "field": "service", "reason": "mistake"},
    "counter.state": {"t": _T, "counter": "c3", "state": "open", "queues": ["a", "b"], "cause": "operator"},
    "kiosk.state": {"t": _T, "state": "degraded", "printer": "paper_low", "paper_pct": 9.0, "screen": "on"},
    "display.state": {"t": _T, "state": "on", "age_ms": 2_000, "content": "sha1:9f2c"},
    "rating.submitted": {"t": _T, "rating": 5, "service": "land", "source": "tablet", "counter": "c3"},
    "device.heartbeat": _HEARTBEAT,
    "centre.mode": {"t": _T, "mode": "online_only", "reason": "storm"},
    "schedule.published": {"t": _T, "counter": "c3", "opens": _T, "closes": _T + 240 * _MINUTE},
    "link.state": {"t": _T, "up": True, "every_ms": _MINUTE, "rtt_ms": 18.5, "loss_pct": 0.0, "backup": False},
    "probe.result": {"t": _T, "system": "vn83-portal", "kind": "report", "ok": True, "latency_ms": 240.0},
    "connector.stats": {
        "t": _T, "system": "vn83-portal", "ok": 118, "failed": 2, "period_ms": 5 * _MINUTE, "min_ms": 80.0,
        "mean_ms": 210.0, "max_ms": 1_900.0, "last_success": _T - 1_000,
    },
    "payment.result": {"t": _T, "outcome": "ok", "provider": "paygov", "service": "land"},
    "dossier.received": {**_DOSSIER, "channel": "online"},
    "dossier.resolved": {**_DOSSIER, "received": _T - 6 * 1440 * _MINUTE, "channel": "online", "digital": True},
    "outbox.dropped": {"t": _T, "ranges": [[17, 40], [42, 42]], "count": 25, "class": "sample"},
    "outbox.refused": {"t": _T, "row": 4711, "reason": "personal-data"},
    "agent.alarm": {"t": _T, "alarm": "source_failed", "subject": "file", "count": 3},
    "clock.step": {"t": _T, "step_ms": -1_500, "synced": True},
    "config.result": {"t": _T, "version": 7, "outcome": "applied"},
    "command.result": {"t": _T, "id": "01JH8Q", "command": "flush", "outcome": "done"},
    "agent.diagnostics": {"t": _T, "outbox_rows": 12, "outbox_bytes": 2_400, "uptime_s": 86_400, "sources": 3},
    "device.contact": {"t": _T},
    "device.status": {"t": _T, "online": True, "sid": "01JH8Q"},
    "platform.beat": {"t": _T},
}  # fmt: skip
"""An example of each event without `type` and `n`, by type."""


def meaning_of(event_type: str, field: str) -> str:
    """Return what a field of an event means. Raises KeyError when there is no text."""
    return FIELD_MEANINGS.get(f"{event_type}.{field}") or FIELD_MEANINGS[field]


def example_of(event_type: str) -> dict[str, Any]:
    """Return an example of an event as a program posts it."""
    return {"type": event_type, **EVENT_EXAMPLES[event_type]}
