"""Opens a followed file, plain or compressed, and reads its bytes at an offset; it must not interpret lines."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import IO, TYPE_CHECKING

from edge_agent.sources.compressed_content import DAMAGE_ERRORS, UnreadableFile, open_content

if TYPE_CHECKING:
    from pathlib import Path

DIGESTED_BYTES = 256
"""Bytes before an offset that its digest covers."""
MAX_CHUNK_BYTES = 256 * 1024
"""Most bytes read at once."""
_BLOCK_BYTES = 2 * MAX_CHUNK_BYTES
"""Bytes of decompressed content that are kept, for steps back."""


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
        except DAMAGE_ERRORS as error:
            raise UnreadableFile(errno.EIO, f"a damaged or incomplete file: {error}") from error

    def _read_compressed(self, offset: int, count: int) -> bytes:
        """Read forward, from a block of what was read last; a step back before it decompresses from the start."""
        if not self._block_offset <= offset <= self._block_offset + len(self._block):
            if offset < self._block_offset:  # not every decompressor steps back
                self.raw.seek(0)
                self.content = open_content(self.raw, self.path.suffix)
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
    """Open a file, decompressed by first bytes or name's suffix unless `plain`. Raises OSError, UnreadableFile."""
    raw = path.open("rb")
    try:
        return FollowedFile(path, raw, raw if plain else open_content(raw, path.suffix))
    except DAMAGE_ERRORS as error:
        raw.close()
        raise UnreadableFile(errno.EIO, f"a damaged or incomplete file: {error}") from error
    except BaseException:
        raw.close()
        raise


def digest_of(text: bytes) -> str:
    """Return a digest of bytes, 16 hexadecimal digits."""
    return blake2b(text, digest_size=8).hexdigest()
