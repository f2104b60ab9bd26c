"""Birth and death certificates of one connection; both carry its `sid`, so a late Will is recognised. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.events import Ms
from telemetry.core.protocol.json_bytes import to_plain_utf8

PresenceText = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9._+:-]*$(?!\n)")]
"""As `events.ShortText`, whose characters the decoder does not check: what rollup stores of a certificate fits it."""


class Presence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained payload of `…/state`."""

    online: bool
    sid: PresenceText
    boot: PresenceText = ""
    t: Ms | None = None
    agent: PresenceText = ""
    reason: PresenceText = ""


_DECODER = msgspec.json.Decoder(Presence)


def encode_presence(presence: Presence) -> bytes:
    """Return the certificate's JSON."""
    return msgspec.json.encode(presence)


def decode_presence(payload: bytes) -> Presence | None:
    """Return the certificate, or None when it is not one."""
    try:
        return _DECODER.decode(to_plain_utf8(payload))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
