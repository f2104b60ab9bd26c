"""Opens a followed file, plain or compressed, and reads its bytes at an offset; it must not interpret lines.

The standard library reads `.gz`, `.bz2`, `.xz`, `.lzma` and `.zip`, zstandard reads `.zst`.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import IO, TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from pathlib import Path

DIGESTED_BYTES = 256
"""Bytes before an offset that its digest covers."""
MAX_CHUNK_BYTES = 256 * 1024
"""Most bytes read at once."""
_BLOCK_BYTES = 2 * MAX_CHUNK_BYTES
"""Bytes of decompressed content that are kept, for steps back."""
_DAMAGED = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, zstandard.ZstdError, ValueError, NotImplementedError
)  # fmt: skip


class UnreadableFile(OSError):
    """A compressed file is damaged, incomplete, or of a kind that cannot be read here."""


@dataclass(slots=True)
class FollowedFile:
    """An open file; offsets are those of its content, after decompression."""

    path: Path
    raw: IO[bytes]
    content: IO[bytes]
    _block_offset: int = 0
    _block: bytes = b""

    @property
    def is_compressed(self) -> bool:
        """Return whether the content is decompressed while it is read; such a file is complete."""
        return self.content is not self.raw

    @property
    def status(self) -> os.stat_result:
        """Return the status of the file itself. Raises OSError."""
        return os.fstat(self.raw.fileno())

    def read_at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes of the content; fewer only at its end. Raises OSError, UnreadableFile."""
        if not self.is_compressed:
            return os.pread(self.raw.fileno(), count, offset)
        try:
            return self._read_compressed(offset, count)
        except _DAMAGED as error:
            raise UnreadableFile(errno.EIO, f"a damaged or incomplete file: {error}") from error

    def _read_compressed(self, offset: int, count: int) -> bytes:
        """Read forward, from a block of what was read last; a step back before it decompresses from the start."""
        if not self._block_offset <= offset <= self._block_offset + len(self._block):
            if offset < self._block_offset:  # not every decompressor steps back
                self.raw.seek(0)
                self.content = _open_content(self.path, self.raw)
            self.content.seek(offset)
            self._block_offset, self._block = offset, b""
        end = offset + count - self._block_offset
        while len(self._block) < end and (data := self.content.read(end - len(self._block))):
            self._block += data
        chunk = self._block[offset - self._block_offset : end]
        surplus = max(0, len(self._block) - _BLOCK_BYTES)
        self._block_offset, self._block = self._block_offset + surplus, self._block[surplus:]
        return chunk

    def digest_before(self, offset: int) -> str:
        """Return the digest of the bytes before `offset`, empty when the content is shorter. Raises OSError."""
        length = min(offset, DIGESTED_BYTES)
        text = self.read_at(offset - length, length)
        return digest_of(text) if len(text) == length else ""

    def find_data(self, offset: int) -> int | None:
        """Return where the first byte that is no NUL is, from `offset`; None when there is none yet. Raises OSError."""
        while chunk := self.read_at(offset, MAX_CHUNK_BYTES):
            if data := chunk.lstrip(b"\0"):
                return offset + len(chunk) - len(data)
            offset += len(chunk)
            if not self.is_compressed:
                with suppress(OSError):  # ENXIO: only a hole follows; EINVAL: this file system cannot tell
                    offset = os.lseek(self.raw.fileno(), offset, os.SEEK_DATA)
        return None

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self.content.close()
        self.raw.close()


def open_followed(path: Path, *, plain: bool = False) -> FollowedFile:
    """Open a file, decompressed by its name's suffix unless `plain`. Raises OSError, UnreadableFile."""
    raw = path.open("rb")
    try:
        return FollowedFile(path, raw, raw if plain else _open_content(path, raw))
    except _DAMAGED as error:
        raw.close()
        raise UnreadableFile(errno.EIO, f"a damaged or incomplete file: {error}") from error
    except BaseException:
        raw.close()
        raise


def _open_content(path: Path, raw: IO[bytes]) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
        case ".bz2":
            return bz2.BZ2File(raw)
        case ".xz" | ".lzma":
            return lzma.LZMAFile(raw)
        case ".zip":
            return _open_zip(raw)
        case ".zst":
            _refuse_cut_zstd(raw)
            return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
        case _:
            return raw


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


def digest_of(text: bytes) -> str:
    """Return a digest of bytes, 16 hexadecimal digits."""
    return blake2b(text, digest_size=8).hexdigest()
