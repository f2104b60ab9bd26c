"""The words events are made of: bounds, closed lists and what every event carries; it must hold no event type."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_INTERVAL_MS = 600_000
"""Longest reporting interval an event may announce, ms."""
MAX_GRACE_MS = 2 * MAX_INTERVAL_MS + 30_000
"""Longest time one report can speak for, ms (see `telemetry.core.fold.event_spans`)."""


def _pattern_meta(characters: str, shortest: int, longest: int) -> Meta:
    """Say which characters a text may have; `text_validation` checks them, because a decoder is slow at it."""
    pattern = f"[{characters}]{{{shortest},{longest}}}"
    schema = {"pattern": f"^{pattern}$"}
    return Meta(min_length=shortest, max_length=longest, extra={"pattern": pattern}, extra_json_schema=schema)


Id = Annotated[str, _pattern_meta("a-z0-9-", 1, 63)]
TicketId = Annotated[str, _pattern_meta("A-Za-z0-9_-", 1, 64)]
ShortText = Annotated[str, _pattern_meta("A-Za-z0-9._+:-", 0, 64)]
Ms = Annotated[int, Meta(ge=0, le=1 << 53)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
RowNumber = Annotated[int, Meta(ge=1, le=1 << 53)]
IntervalMs = Annotated[int, Meta(ge=1_000, le=MAX_INTERVAL_MS)]
Percent = Annotated[float, Meta(ge=0, le=100)]

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
DossierChannel = Literal["online", "direct", "post", "internal", "other"]
ProbeKind = Literal["http", "tcp", "tls", "dns", "report"]


class Event(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    """What every event carries: its row number `n` in the outbox and its capture time `t`, ms."""

    n: RowNumber
    t: Ms
