"""Events and receipts as bytes, strictly; a refused row always has a reason. Pure.

An event is *stored*, *rejected* (final: malformed, oversized, personal data) or *deferred*
(unsupported version, type or field, too far in the future): the agent keeps a deferred row.
"""

from __future__ import annotations

import re
import zlib
from typing import Annotated, Any, Union

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol import events as ev, text_validation
from telemetry.core.protocol.json_bytes import to_plain_utf8

VERSION = 1
CONTENT_TYPE = "application/vnd.motcua.frame+json;v=1"
ZLIB_SUFFIX = "+zlib"
MAX_FRAME_BYTES = 128 * 1024
"""Largest frame on the wire, bytes."""
MAX_INFLATED_BYTES = 1024 * 1024
MAX_FUTURE_MS = 300_000
"""A row whose capture time is further ahead than this, ms, is deferred."""
MAX_RECEIPT_ENTRIES = 10_000
"""Most entries of each kind in a receipt that an agent accepts; ingest sends a tenth."""
MAX_NAMED_ROWS = 1_000
"""Most rows an unreadable frame's user properties may name."""

OutboxId = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]
ReceiptReason = Annotated[str, Meta(max_length=63, pattern=r"^[a-z0-9_-]{1,63}$(?!\n)")]
AgentEvent = Union[ev.AGENT_EVENTS]  # type: ignore[valid-type]  # noqa: UP007
AnyEvent = Union[ev.AGENT_EVENTS + ev.SERVER_EVENTS]  # type: ignore[valid-type]  # noqa: UP007


class Clock(Struct, frozen=True):
    """The device's clock: whether it is synchronised, and its error."""

    synced: bool
    error_ms: Annotated[float, Meta(ge=0, le=1 << 53)] | None = None


class _FrameHead(Struct, frozen=True, kw_only=True):
    v: int
    spool: OutboxId
    boot: Annotated[str, Meta(max_length=64)] = ""
    sent: ev.SignedInt = 0
    clock: Clock | None = None


class _LenientFrame(_FrameHead, frozen=True, kw_only=True):
    events: list[msgspec.Raw]


class _NumberedRow(Struct, frozen=True):
    n: ev.RowNumber


class _StrictFrame(_FrameHead, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: list[AgentEvent]


_ReceiptEntries = Meta(max_length=MAX_RECEIPT_ENTRIES)
_RefusedRows = Annotated[list[tuple[ev.RowNumber, ReceiptReason]], _ReceiptEntries]


class DeliveryReceipt(Struct, frozen=True, kw_only=True):
    """What became of a device's rows: closed ranges stored, and (n, reason) pairs."""

    spool: OutboxId
    ranges: Annotated[list[tuple[ev.RowNumber, ev.RowNumber]], _ReceiptEntries]
    rejected: _RefusedRows = []
    deferred: _RefusedRows = []
    at: ev.SignedInt = 0

    @property
    def highest_row(self) -> int:
        """Return the highest row number named, 0 when none is."""
        refused = (n for rows in (self.rejected, self.deferred) for n, _ in rows)
        return max([*(high for _, high in self.ranges), *refused], default=0)


class DecodedFrame(Struct, frozen=True):
    """A frame's rows by outcome; `outbox_id` is empty when it could not be read."""

    outbox_id: str
    events: list[ev.Event] = []
    rejected: list[tuple[int, str]] = []
    deferred: list[tuple[int, str]] = []
    unidentified: list[str] = []


class UnreadableFrame(Exception):
    """The payload cannot be read at all; `reason` is the dead letter's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_ENCODER = msgspec.json.Encoder()
_STRICT_DECODER = msgspec.json.Decoder(_StrictFrame)
_LENIENT_DECODER = msgspec.json.Decoder(_LenientFrame)
_ROW_NUMBER_DECODER = msgspec.json.Decoder(_NumberedRow)
_EVENT_DECODER = msgspec.json.Decoder(AnyEvent)
_RECEIPT_DECODER = msgspec.json.Decoder(DeliveryReceipt)
_EVENT_TYPE_BY_TAG: dict[str, type[ev.Event]] = {str(kind.__struct_config__.tag): kind for kind in ev.AGENT_EVENTS}

_QUOTED_DIGITS = re.compile(rb'"[\d\s+][\s+]*\d{8,12}\s*"')
"""Nine to thirteen digits in quotes: phone, identity-card and citizen numbers; times are not quoted.

No valid event needs a backslash; a frame that has one may hide digits and is checked row by row.
"""
_PERSONAL_VALUE = re.compile(r"\s*\+?\d{9,13}\s*|.*@.*|.*\w\s+\w.*", re.DOTALL)
_PERSONAL_NAME = re.compile(
    r"(full_?|first_?|last_?|customer_?|citizen_?)?name|phone(_number)?|tel|mobile|e?_?mail|address|cccd|cmnd|"
    r"citizen(_id|_number)?|id_?card|passport|birth(day|_?date)?|dob|tax_?code|insurance(_id)?|licen[cs]e_?plate|"
    r"ho_?ten|dien_?thoai|dia_?chi|face|photo|voice|signature|comment|note|text",
    re.IGNORECASE,
)


def encode_event(event: ev.Event) -> bytes:
    """Return the event's JSON."""
    return _ENCODER.encode(event)


def decode_event(body: bytes) -> ev.Event:
    """Return a stored event; raises msgspec.ValidationError on anything `encode_event` did not write."""
    event: ev.Event = _EVENT_DECODER.decode(body)
    return event


def encode_frame(outbox_id: str, boot: str, sent: int, bodies: list[bytes], clock: Clock | None = None) -> bytes:
    """Return a frame around events already encoded."""
    head = {"v": VERSION, "spool": outbox_id, "boot": boot, "sent": sent, "clock": clock}
    text = _ENCODER.encode({k: v for k, v in head.items() if v is not None})
    return text[:-1] + b',"events":[' + b",".join(bodies) + b"]}"


def compress(payload: bytes) -> bytes:
    """Return the payload deflated."""
    return zlib.compress(payload, 6)


def encode_receipt(receipt: DeliveryReceipt) -> bytes:
    """Return the receipt's JSON."""
    return _ENCODER.encode(receipt)


def decode_receipt(payload: bytes) -> DeliveryReceipt | None:
    """Return the receipt, or None when it is not one, or has a range that ends before it begins."""
    try:
        receipt = _RECEIPT_DECODER.decode(to_plain_utf8(payload))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if any(low > high for low, high in receipt.ranges) else receipt


def decode_frame(payload: bytes, content_type: str, now: int) -> DecodedFrame:
    """Sort a frame's rows by outcome.

    Raises:
        UnreadableFrame: its rows cannot be read (`oversized`, `malformed`, `personal_data`).

    """
    text = _inflate(payload, content_type)
    if b"\\" not in text and not _QUOTED_DIGITS.search(text):
        try:
            frame = _STRICT_DECODER.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            if frame.v == VERSION and text_validation.texts_are_valid(frame.events):
                return _defer_future_rows(DecodedFrame(frame.spool, frame.events), now)
    return _defer_future_rows(_decode_leniently(text), now)


def split_frame(payload: bytes, content_type: str) -> tuple[str, list[tuple[int, bytes]]]:
    """Return a frame's outbox id and its rows, each as a frame of its own with its number (0: it has none).

    Raises UnreadableFrame.
    """
    try:
        frame = _LENIENT_DECODER.decode(_inflate(payload, content_type))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise UnreadableFrame("malformed") from None
    return frame.spool, [
        (_row_number(raw), _ENCODER.encode({"v": frame.v, "spool": frame.spool, "events": [raw]}))
        for raw in frame.events
    ]


def _row_number(raw: msgspec.Raw) -> int:
    try:
        return _ROW_NUMBER_DECODER.decode(raw).n
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 0


def _inflate(payload: bytes, content_type: str) -> bytes:
    if len(payload) > MAX_FRAME_BYTES:
        raise UnreadableFrame("oversized")
    if not content_type.endswith(ZLIB_SUFFIX):
        return payload
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, MAX_INFLATED_BYTES)
    except zlib.error:
        raise UnreadableFrame("malformed") from None
    if inflater.unconsumed_tail:
        raise UnreadableFrame("oversized")
    return text


def _decode_leniently(text: bytes) -> DecodedFrame:
    """Check row by row a frame that the strict decoder refused; it may be in any form of Unicode."""
    try:
        frame = _LENIENT_DECODER.decode(to_plain_utf8(text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise UnreadableFrame("malformed") from None
    if _QUOTED_DIGITS.fullmatch(b'"' + frame.spool.encode() + b'"'):
        raise UnreadableFrame("personal_data")
    decoded = DecodedFrame(frame.spool)
    for raw in frame.events:
        _classify_row(bytes(raw), decoded, supported=frame.v == VERSION)
    return decoded


def _classify_row(raw: bytes, decoded: DecodedFrame, *, supported: bool) -> None:
    try:
        row = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        row = None
    # A row that cannot be read may still say its number: without it, its sender would repeat it for ever.
    n = row.get("n") if isinstance(row, dict) else _row_number(msgspec.Raw(raw))
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= 1 << 53:
        decoded.unidentified.append("malformed")
        return
    try:
        outcome = "malformed" if row is None else _validate_row(row, supported=supported)
    except RecursionError:
        outcome = "malformed"
    if isinstance(outcome, ev.Event):
        decoded.events.append(outcome)
    elif outcome in {"malformed", "personal_data"}:
        decoded.rejected.append((n, outcome))
    else:
        decoded.deferred.append((n, outcome))


def _validate_row(row: dict[str, Any], *, supported: bool) -> ev.Event | str:
    """Return the event, or the reason why not."""
    if _looks_personal(row):
        return "personal_data"
    if not supported:
        return "unsupported_version"
    event_type = _EVENT_TYPE_BY_TAG.get(str(row.get("type")))
    if event_type is None:
        return "unsupported_type" if isinstance(row.get("type"), str) else "malformed"
    try:
        event: ev.Event = text_validation.convert_event(row, event_type)
        return event
    except msgspec.ValidationError as error:
        text = str(error)
        if "unknown field" in text:
            return "unsupported_field"
        return "unsupported_value" if "Invalid enum value" in text else "malformed"


def _looks_personal(value: object) -> bool:
    """Return whether a key or a value matches a pattern of personal data."""
    if isinstance(value, str):
        return bool(_PERSONAL_VALUE.fullmatch(value))
    if isinstance(value, list):
        return any(_looks_personal(item) for item in value)
    if isinstance(value, dict):
        return any(_PERSONAL_NAME.fullmatch(str(k)) or _looks_personal(v) for k, v in value.items())
    return False


def _defer_future_rows(decoded: DecodedFrame, now: int) -> DecodedFrame:
    """Defer the rows that are too far in the future."""
    limit = now + MAX_FUTURE_MS
    if not decoded.events or max([event.t for event in decoded.events]) <= limit:
        return decoded
    future = [(event.n, "future") for event in decoded.events if event.t > limit]
    on_time = [event for event in decoded.events if event.t <= limit]
    return DecodedFrame(decoded.outbox_id, on_time, decoded.rejected, decoded.deferred + future, decoded.unidentified)
