"""The bytes of a JSON text that others wrote: marks, NULs and other forms of Unicode."""

from __future__ import annotations

import codecs

import pytest

from telemetry.core.protocol.json_bytes import to_plain_utf8

TEXT = '{"type": "Hộ tịch"}'
PLAIN = TEXT.encode()


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        codecs.BOM_UTF8 + PLAIN,
        codecs.BOM_UTF8 * 2 + PLAIN,
        b"\x00" + PLAIN,
        b"\x00" * 4096 + PLAIN,
        b"\x00" * 3 + codecs.BOM_UTF8 + PLAIN,
        codecs.BOM_UTF8 + b"\x00\x00" + PLAIN + b"\x00",
        PLAIN + b"\x00\x00",
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        b"\x00\x00" + codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
        TEXT.encode("utf-32-le"),
        TEXT.encode("utf-32-be"),
        TEXT.encode("utf-16") + b"\x00\x00",
    ],
)
def test_every_form_becomes_plain_utf8(data: bytes) -> None:
    assert to_plain_utf8(data) == PLAIN


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"", b""),
        (b"\x00\x00\x00", b""),
        (codecs.BOM_UTF8, b""),
        (b"1", b"1"),
        (codecs.BOM_UTF16_LE + b"{\x00\x00\xd8", codecs.BOM_UTF16_LE + b"{\x00\x00\xd8"),
        (b"\xff\x00\x01", b"\xff\x00\x01"),
        (b"a\x00b\x00\x00\xd8", b"a\x00b\x00\x00\xd8"),
        (b"{}\x00\x00x", b"{}\x00\x00x"),
    ],
)
def test_what_cannot_be_read_is_left_to_the_decoder(data: bytes, result: bytes) -> None:
    assert to_plain_utf8(data) == result
