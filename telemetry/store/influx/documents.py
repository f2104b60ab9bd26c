"""Named documents in the state bucket: compressed text in parts that a field of InfluxDB can carry. It must not query.

A document is complete when all its parts have the digest of the whole.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING

from msgspec import Struct

from telemetry.store.influx.line_protocol import escape_tag, quote_field

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PART_BYTES = 48_000
"""A string field carries at most 64 kB."""


class DocumentPart(Struct, frozen=True, array_like=True):
    """A stored part; None where a field is missing."""

    time: int
    digest: str | None
    parts: int | None
    body: str | None


def document_lines(name: str, body: bytes, line_tag: bytes) -> list[bytes]:
    """Return the lines of a document."""
    text = b64encode(zlib.compress(body, 9))
    parts = [text[i : i + MAX_PART_BYTES] for i in range(0, len(text), MAX_PART_BYTES)]
    head = b"document%b,label=%b,part=" % (line_tag, escape_tag(name))
    digest = hashlib.sha256(body).hexdigest().encode()
    return [
        head + b"%d digest=%b,parts=%di,body=%b 0" % (number, quote_field(digest), len(parts), quote_field(part))
        for number, part in enumerate(parts)
    ]


def join_document(parts: Iterable[tuple[str, DocumentPart]]) -> bytes | None:
    """Return the document of parts, each with its number as text; None when it is not complete."""
    by_number = {int(number): part for number, part in parts if number.isdecimal()}
    first = by_number.get(0)
    if first is None or first.parts is None:
        return None
    wanted = [by_number.get(number) for number in range(min(first.parts, len(by_number)))]
    try:
        body = zlib.decompress(b64decode("".join(part.body or "" for part in wanted if part is not None)))
    except (zlib.error, NotBase64):
        return None
    return body if hashlib.sha256(body).hexdigest() == first.digest else None
