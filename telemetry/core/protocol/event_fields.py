"""The field types of events with their ranges, and what every event has; it must define no event of its own.

Times are Unix milliseconds, durations end in `_ms`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_INTERVAL_MS = 600_000
"""Longest reporting interval an event may announce, ms."""
MAX_GRACE_MS = 2 * MAX_INTERVAL_MS + 30_000
"""Longest time one report can be valid, ms (see `telemetry.core.fold.event_spans`)."""


def _pattern_meta(characters: str, shortest: int, longest: int) -> Meta:
    """Declare which characters a text may have; `text_validation` checks them, because the decoder is slow at it."""
    pattern = f"[{characters}]{{{shortest},{longest}}}"
    schema = {"pattern": f"^{pattern}$"}
    return Meta(min_length=shortest, max_length=longest, extra={"pattern": pattern}, extra_json_schema=schema)


Id = Annotated[str, _pattern_meta("a-z0-9-", 1, 63)]
TicketId = Annotated[str, _pattern_meta("A-Za-z0-9_-", 1, 64)]
ShortText = Annotated[str, _pattern_meta("A-Za-z0-9._+:-", 0, 64)]
QueueNumber = Annotated[str, _pattern_meta("A-Z0-9-", 1, 8)]
"""The number printed on a ticket, such as A012; too short for a telephone number or one of an identity card."""
Ms = Annotated[int, Meta(ge=0, le=1 << 53)]
LAST_INSTANT_MS = 7_258_118_400_000
Instant = Annotated[int, Meta(ge=0, le=LAST_INSTANT_MS)]
"""Unix ms up to the year 2200: whatever is stored, a reader can show it as a local time."""
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
RequestCount = Annotated[int, Meta(ge=0, le=10_000_000)]
"""Requests of one period; times MAX_LATENCY_MS they are well within 64 bits."""
InstanceCount = Annotated[int, Meta(ge=0, le=999)]
RowNumber = Annotated[int, Meta(ge=1, le=1 << 53)]
IntervalMs = Annotated[int, Meta(ge=1_000, le=MAX_INTERVAL_MS)]
Percent = Annotated[float, Meta(ge=0, le=100)]
CpuPercent = Annotated[float, Meta(ge=0, le=10_000)]
MAX_LATENCY_MS = 86_400_000
"""Longest latency an event may report, ms: a day."""
LatencyMs = Annotated[float, Meta(ge=0, le=MAX_LATENCY_MS)]
CertificateDays = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]
MAX_LIST_ITEMS = 1_000
"""Most items of any list in an event."""

TicketChannel = Literal["kiosk", "reception", "booking", "qr", "phone"]
PriorityClass = Literal["normal", "elderly", "disabled", "priority", "vip"]
HoldReason = Literal["form", "payment", "document", "other"]
ServiceOutcome = Literal["done", "referred", "incomplete_dossier", "refused"]
ServiceTimeQuality = Literal["ok", "forgotten_open", "missing_start", "clock"]
AbandonedBy = Literal["customer", "staff"]
AbandonStage = Literal["waiting", "called", "held"]
CounterMode = Literal["open", "serving", "break", "back_office", "closed"]
CounterStateCause = Literal["operator", "schedule", "forced_logout", "device_lost"]
ServiceState = Literal["in_service", "degraded", "out_of_order"]
PrinterState = Literal["ok", "paper_low", "paper_out", "jam", "cover_open", "offline"]
ScreenState = Literal["on", "off", "frozen"]
CentreMode = Literal["normal", "online_only", "closed", "emergency"]
DossierChannel = Literal["online", "mobile", "direct", "post", "email", "internal", "other"]
"""How a dossier was handed in; `online` (the portal) and `mobile` (its application) count as online."""
ProbeKind = Literal["http", "tcp", "tls", "dns", "closed", "report"]
"""How a system was observed; `report`: by a program of the centre, which posts the result; no agent probes so."""
ChainCertificate = Literal["leaf", "intermediate", "root"]
"""A certificate of a server's chain: its own, one between, one of the trust store."""
AlarmCode = Literal[
    "session_taken_over", "publish_refused", "no_subscribers", "outbox_corrupt", "disk_full", "source_hung",
    "source_failed", "certificate_expiring", "config_unreadable", "packet_too_large", "subscription_refused",
    "receipt_invalid", "events_skipped", "input_lost", "input_rewritten",
]  # fmt: skip
ConfigOutcome = Literal["applied", "rejected", "rolled_back"]
CommandOutcome = Literal["done", "failed", "expired", "unknown"]
SignedInt = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]


class Event(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    """The fields of every event: its row number `n` in the outbox and its capture time `t`, ms."""

    n: RowNumber
    t: Ms
