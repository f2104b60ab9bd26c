"""Undoes the codings of an answer's body by what the body is, whatever its header says; it must not parse the content.

Servers and the proxies before them name a coding that they have already undone, name none, or name something that is no
coding (`utf-8`, `none`).  What is JSON is taken as it is; what begins as a compressed body does is decompressed.
"""

from __future__ import annotations

import zlib
from typing import Final

from edge_agent.sources.compressed_content import DAMAGE_ERRORS, compression_of, decompress_zstd

MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
"""Longest answer, also after decompression."""
MAX_CODINGS: Final = 4
_MARKS_AND_SPACES = b"\x00\xef\xbb\xbf\xfe\xff \t\r\n"
_JSON_STARTS = (b"{", b"[")


class UnusableAnswer(ValueError):
    """The answer as a whole cannot be read; the message says why and what to do, without the server's words."""


def decompress_body(body: bytes, encodings: str) -> bytes:
    """Return the body without its codings; `encodings` is the Content-Encoding header. Raises UnusableAnswer."""
    names = {name.strip().lower() for name in encodings.split(",")}
    for _ in range(MAX_CODINGS):
        undone = _undo_one(body, may_be_raw_deflate="deflate" in names)
        if undone is None:
            break
        body = undone
    if needs_brotli(body, encodings):
        raise UnusableAnswer("the answer is in brotli, or its Content-Encoding is wrong; make it send gzip or none")
    return body


def needs_brotli(body: bytes, encodings: str) -> bool:
    """Return whether only brotli can make a text of this body: its header names it, and it is nothing else."""
    is_named = "br" in {name.strip().lower() for name in encodings.split(",")}
    return is_named and not _is_json_text(body) and compression_of(body) is None


def _undo_one(body: bytes, *, may_be_raw_deflate: bool) -> bytes | None:
    """Return the body without its outermost coding, None when it has none that its bytes show."""
    if _is_json_text(body):
        return None
    match compression_of(body):
        case "gzip":
            return _inflate(body, zlib.MAX_WBITS | 16)
        case "zstd":
            return _decompress_zstd(body)
    if _has_zlib_header(body):
        return _inflate(body, zlib.MAX_WBITS)
    return _inflate(body, -zlib.MAX_WBITS) if may_be_raw_deflate and body else None


def _is_json_text(body: bytes) -> bool:
    return body[:64].lstrip(_MARKS_AND_SPACES).startswith(_JSON_STARTS)


def _has_zlib_header(body: bytes) -> bool:
    """Return whether a zlib stream begins here: RFC 1950, with the window sizes that are in use."""
    return len(body) > 1 and body[0] & 15 == 8 and body[0] >> 4 <= 7 and int.from_bytes(body[:2], "big") % 31 == 0


def _inflate(body: bytes, window_bits: int) -> bytes:
    """Return the decompressed parts, one after the other; what follows them and is no part is left out."""
    parts, length = list[bytes](), 0
    while body.strip(b"\x00") and (not parts or compression_of(body) == "gzip"):
        stream = zlib.decompressobj(window_bits)
        try:
            parts.append(stream.decompress(body, MAX_RESPONSE_BYTES + 1 - length))
        except zlib.error:
            raise UnusableAnswer("the compressed answer is damaged") from None
        length += len(parts[-1])
        _check_length(length)
        if not stream.eof:
            raise UnusableAnswer("the answer was incomplete")
        body = stream.unused_data
    return b"".join(parts)


def _decompress_zstd(body: bytes) -> bytes:
    try:
        content = decompress_zstd(body, MAX_RESPONSE_BYTES + 1)
    except EOFError:
        raise UnusableAnswer("the answer was incomplete") from None
    except DAMAGE_ERRORS:
        raise UnusableAnswer("the compressed answer is damaged") from None
    _check_length(len(content))
    return content


def _check_length(length: int) -> None:
    if length > MAX_RESPONSE_BYTES:
        raise UnusableAnswer(f"answered over {MAX_RESPONSE_BYTES} bytes; make it return fewer events at once")
