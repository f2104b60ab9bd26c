"""Reads text files that people and their editors wrote, in any Unicode form; it must not parse them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from pathlib import Path


def decode_configuration(data: bytes) -> str:
    r"""Return the text with LF line ends, without byte order marks and NULs around it. Raises UnicodeDecodeError.

    UTF-16 and UTF-32 are recognised by their mark or their NULs; everything else is UTF-8.

    >>> decode_configuration("port = 1\r\n".encode("utf-16")), decode_configuration(b"\xef\xbb\xbfport = 1\r")
    ('port = 1\n', 'port = 1\n')
    """
    return to_plain_utf8(data).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def read_text_file(path: Path) -> str:
    """Return a file's text. Raises OSError, UnicodeDecodeError."""
    return decode_configuration(path.read_bytes())
