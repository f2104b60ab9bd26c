"""Birth and death certificates of one connection; both carry its `sid`, so a late Will is recognised. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class Presence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retained payload of `…/state`."""

    online: bool
    sid: str
    boot: str = ""
    t: int | None = None
    agent: str = ""
    reason: str = ""


_DECODER = msgspec.json.Decoder(Presence)


def encode_presence(presence: Presence) -> bytes:
    """Return the certificate's JSON."""
    return msgspec.json.encode(presence)


def decode_presence(payload: bytes) -> Presence | None:
    """Return the certificate, or None when it is not one."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
