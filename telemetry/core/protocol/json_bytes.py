"""Turns the bytes of a JSON text that others wrote into plain UTF-8; it must not parse the text."""

from __future__ import annotations

import codecs
import json

_STARTS_OF_OTHER_FORMS = frozenset(b"\x00\xef\xfe\xff")
"""First bytes of a byte order mark, or of text that begins with NULs; JSON begins with none of them."""
_IGNORED_ENDS = "\x00\ufeff"


def to_plain_utf8(data: bytes) -> bytes:
    """Return the text as UTF-8 without byte order marks before it and NULs around it.

    UTF-16 and UTF-32 are recognised by their mark or, as RFC 4627 does it, by their NULs.  What cannot be read is
    returned without its NULs, so that the caller's decoder reports it.
    """
    if not data or (data[0] not in _STARTS_OF_OTHER_FORMS and 0 not in data[1:4]):
        return data.rstrip(b"\x00")
    plain = data.strip(b"\x00")
    while plain.startswith(codecs.BOM_UTF8):
        plain = plain.removeprefix(codecs.BOM_UTF8).lstrip(b"\x00")
    if b"\x00" not in plain:
        return plain
    for part in (data, data.lstrip(b"\x00")):
        try:
            return part.decode(json.detect_encoding(part)).strip(_IGNORED_ENDS).encode()
        except UnicodeDecodeError:
            continue
    return plain
