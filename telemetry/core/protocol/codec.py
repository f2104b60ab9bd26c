"""Events and receipts as bytes, strictly; a refused row always has a reason. Pure.

An event is *stored*, *rejected* (final: malformed, oversized, personal data) or *deferred*
(unsupported version, type or field, too far in the future): a deferred row stays at the agent.
"""

from __future__ import annotations

import re
import zlib
from typing import Annotated, Any, Union

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol import events as ev, text_validation

VERSION = 1
CONTENT_TYPE = "application/vnd.motcua.frame+json;v=1"
ZLIB = "+zlib"
MAX_FRAME = 128 * 1024
"""Largest frame on the wire, bytes."""
MAX_INFLATED = 1024 * 1024
FUTURE_MS = 300_000
"""A capture time further ahead than this is put off, ms."""
MAX_NAMED_ROWS = 1_000
"""Most rows an unreadable frame's user properties may name."""

Spool = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AgentEvent = Union[ev.AGENT_EVENTS]  # type: ignore[valid-type]  # noqa: UP007
AnyEvent = Union[ev.AGENT_EVENTS + ev.SERVER_EVENTS]  # type: ignore[valid-type]  # noqa: UP007


class Clock(Struct, frozen=True):
    """What the device knows of its clock."""

    synced: bool
    error_ms: float | None = None


class _Head(Struct, frozen=True, kw_only=True):
    v: int
    spool: Spool
    boot: str = ""
    sent: int = 0
    clock: Clock | None = None


class _Loose(_Head, frozen=True, kw_only=True):
    events: list[msgspec.Raw]


class _Strict(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: list[AgentEvent]


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a device's rows: closed ranges stored, and (n, reason) pairs."""

    spool: str
    ranges: list[tuple[int, int]]
    rejected: list[tuple[int, str]] = []
    deferred: list[tuple[int, str]] = []
    at: int = 0


class Decoded(Struct, frozen=True):
    """A frame's rows by outcome; `spool` is empty when it could not be read."""

    spool: str
    events: list[ev.Event] = []
    rejected: list[tuple[int, str]] = []
    deferred: list[tuple[int, str]] = []
    unnamed: list[str] = []


class Unreadable(Exception):
    """The payload cannot be read at all; `reason` is the dead letter's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_ENCODER = msgspec.json.Encoder()
_STRICT = msgspec.json.Decoder(_Strict)
_LOOSE = msgspec.json.Decoder(_Loose)
_ANY = msgspec.json.Decoder(AnyEvent)
_RECEIPT = msgspec.json.Decoder(Receipt)
_KNOWN: dict[str, type[ev.Event]] = {str(kind.__struct_config__.tag): kind for kind in ev.AGENT_EVENTS}

_DIGITS = re.compile(rb'"[\d\s+][\s+]*\d{8,12}\s*"')
"""Nine to thirteen digits in quotes: phone, identity-card and citizen numbers; times are not quoted.

Nothing of ours needs a backslash; a text that has one may hide digits and is judged row by row.
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
    event: ev.Event = _ANY.decode(body)
    return event


def encode_frame(spool: str, boot: str, sent: int, bodies: list[bytes], clock: Clock | None = None) -> bytes:
    """Return a frame around events already encoded."""
    head = {"v": VERSION, "spool": spool, "boot": boot, "sent": sent, "clock": clock}
    text = _ENCODER.encode({k: v for k, v in head.items() if v is not None})
    return text[:-1] + b',"events":[' + b",".join(bodies) + b"]}"


def compress(payload: bytes) -> bytes:
    """Return the payload deflated."""
    return zlib.compress(payload, 6)


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the receipt's JSON."""
    return _ENCODER.encode(receipt)


def decode_receipt(payload: bytes) -> Receipt | None:
    """Return the receipt, or None when it is not one."""
    try:
        return _RECEIPT.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode_frame(payload: bytes, content_type: str, now: int) -> Decoded:
    """Sort a frame's rows by outcome.

    Raises:
        Unreadable: nothing can be said of its rows (`oversized`, `malformed`).

    """
    text = _inflate(payload, content_type)
    if b"\\" not in text and not _DIGITS.search(text):
        try:
            frame = _STRICT.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        else:
            if frame.v == VERSION and text_validation.well_worded(frame.events):
                return _timed(Decoded(frame.spool, frame.events), now)
    return _timed(_slowly(text), now)


def _inflate(payload: bytes, content_type: str) -> bytes:
    if len(payload) > MAX_FRAME:
        raise Unreadable("oversized")
    if not content_type.endswith(ZLIB):
        return payload
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, MAX_INFLATED)
    except zlib.error:
        raise Unreadable("malformed") from None
    if inflater.unconsumed_tail:
        raise Unreadable("oversized")
    return text


def _slowly(text: bytes) -> Decoded:
    """Judge row by row a frame that the strict decoder refused."""
    try:
        frame = _LOOSE.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unreadable("malformed") from None
    if _DIGITS.fullmatch(b'"' + frame.spool.encode() + b'"'):
        raise Unreadable("personal_data")
    out = Decoded(frame.spool)
    for raw in frame.events:
        _sort(bytes(raw), out, supported=frame.v == VERSION)
    return out


def _sort(raw: bytes, out: Decoded, *, supported: bool) -> None:
    try:
        loose = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        loose = None
    n = loose.get("n") if isinstance(loose, dict) else None
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= 1 << 53:
        out.unnamed.append("malformed")
        return
    try:
        verdict = _judge(loose, supported=supported)
    except RecursionError:
        verdict = "malformed"
    if isinstance(verdict, ev.Event):
        out.events.append(verdict)
    elif verdict in {"malformed", "personal_data"}:
        out.rejected.append((n, verdict))
    else:
        out.deferred.append((n, verdict))


def _judge(loose: dict[str, Any], *, supported: bool) -> ev.Event | str:
    """Return the event, or the reason why not."""
    if _personal(loose):
        return "personal_data"
    if not supported:
        return "unsupported_version"
    kind = _KNOWN.get(str(loose.get("type")))
    if kind is None:
        return "unsupported_type" if isinstance(loose.get("type"), str) else "malformed"
    try:
        found: ev.Event = text_validation.convert(loose, kind)
        return found
    except msgspec.ValidationError as error:
        text = str(error)
        if "unknown field" in text:
            return "unsupported_field"
        return "unsupported_value" if "Invalid enum value" in text else "malformed"


def _personal(value: object) -> bool:
    """Tell whether a key or a value looks like something about a person."""
    if isinstance(value, str):
        return bool(_PERSONAL_VALUE.fullmatch(value))
    if isinstance(value, list):
        return any(_personal(item) for item in value)
    if isinstance(value, dict):
        return any(_PERSONAL_NAME.fullmatch(str(k)) or _personal(v) for k, v in value.items())
    return False


def _timed(decoded: Decoded, now: int) -> Decoded:
    """Put off what lies too far in the future."""
    limit = now + FUTURE_MS
    if not decoded.events or max([event.t for event in decoded.events]) <= limit:
        return decoded
    late = [(event.n, "future") for event in decoded.events if event.t > limit]
    kept = [event for event in decoded.events if event.t <= limit]
    return Decoded(decoded.spool, kept, decoded.rejected, decoded.deferred + late, decoded.unnamed)
