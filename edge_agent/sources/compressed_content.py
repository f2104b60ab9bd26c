"""Recognises compressed content by its first bytes and opens it; it must not know who reads it.

The standard library reads gzip, bzip2, xz, lzma and zip; zstandard, which only this module imports, reads zstd.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import zipfile
import zlib
from typing import IO, Final, Literal, cast

import zstandard

CompressionName = Literal["gzip", "bzip2", "xz", "zip", "zstd"]
_STARTS: dict[bytes, CompressionName] = {
    b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
_SUFFIXES: dict[str, CompressionName] = {
    ".gz": "gzip", ".gzip": "gzip", ".bz2": "bzip2", ".xz": "xz", ".lzma": "xz", ".zip": "zip", ".zst": "zstd",
    ".zstd": "zstd",
}  # fmt: skip
START_BYTES: Final = 6
"""How many first bytes tell what content is."""
ARCHIVE_SUFFIXES: Final = frozenset(_SUFFIXES)
"""The last parts of the names that compressed files have."""
DAMAGE_ERRORS: Final = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, zstandard.ZstdError, ValueError, NotImplementedError
)  # fmt: skip
"""What reading damaged or incomplete content raises, beside OSError."""


class UnreadableFile(OSError):
    """A compressed file is damaged, incomplete, or of a kind that cannot be read here."""


def compression_of(start: bytes) -> CompressionName | None:
    """Return how content is compressed that begins with these bytes; None when it is not, or in no known way.

    >>> compression_of(gzip.compress(b"text")), compression_of(b"text")
    ('gzip', None)
    """
    return next((name for first, name in _STARTS.items() if start.startswith(first)), None)


def open_content(raw: IO[bytes], suffix: str) -> IO[bytes]:
    """Return the content of a file, decompressed by its first bytes, else by its name's suffix; or the file itself.

    A rotated file may be compressed under any name.  Raises OSError, UnreadableFile, one of DAMAGE_ERRORS.
    """
    raw.seek(0)
    name = compression_of(raw.read(START_BYTES)) or _SUFFIXES.get(suffix.lower())
    raw.seek(0)
    match name:
        case "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        case "bzip2":
            return bz2.BZ2File(raw)
        case "xz":
            return lzma.LZMAFile(raw)
        case "zip":
            return _open_zip(raw)
        case "zstd":
            _refuse_cut_zstd(raw)
            return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
        case None:
            return raw


def decompress_zstd(body: bytes, max_bytes: int) -> bytes:
    """Return up to `max_bytes` of a zstd body's content. Raises one of DAMAGE_ERRORS: EOFError when it is cut off."""
    _refuse_cut_zstd(io.BytesIO(body))
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body, read_across_frames=True)
    content = b""
    while len(content) < max_bytes and (data := reader.read(max_bytes - len(content))):
        content += data
    return content


def _refuse_cut_zstd(raw: IO[bytes]) -> None:
    """Raise EOFError when the last frame is not whole, which the library reads as an end (RFC 8878, 3.1)."""
    size, place = raw.seek(0, os.SEEK_END), 0
    while place < size:
        raw.seek(place)
        head = raw.read(8)
        if head[1:4] == b"\x2a\x4d\x18":
            place += 8 + int.from_bytes(head[4:], "little")
            continue
        flags = head[4] if len(head) > 4 else 0
        is_single = flags >> 5 & 1
        content_size_bytes = (is_single, 2, 4, 8)[flags >> 6]
        place += 5 + (not is_single) + (0, 1, 2, 4)[flags & 3] + content_size_bytes
        is_last = False
        while not is_last and place < size:
            raw.seek(place)
            block = int.from_bytes(raw.read(3), "little")
            is_last = bool(block & 1)
            place += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        place += 4 * (flags >> 2 & 1) + (not is_last)
    raw.seek(0)
    if place != size:
        raise EOFError("the last frame is not whole")


def _open_zip(raw: IO[bytes]) -> IO[bytes]:
    archive = zipfile.ZipFile(raw)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise UnreadableFile(errno.EINVAL, "an archive of several files; unpack it beside the followed file")
    return archive.open(members[0])
