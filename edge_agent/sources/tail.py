"""Reads whole lines of a growing file, through rotation, truncation and restarts; it must not interpret lines.

A position is a file's inode, an offset and a digest of the bytes before it, so that a file that was truncated in place
and has grown past the offset is detected.  A rotated file is followed until it has been quiet for `QUIET_AFTER_S`: a
program may finish its last line after the new file was created.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_CHUNK_BYTES = 256 * 1024
"""Most bytes read and committed at once; a longer line is invalid."""
DIGESTED_BYTES = 256
"""Bytes before a position that its digest covers."""
QUIET_AFTER_S = 600
"""A rotated file is finished when its last write is this much older than the newest file's, s."""
MAX_FOLLOWED_FILES = 16
"""Most rotated files followed at once; beyond that the oldest is dropped."""
_ROTATION_SUFFIX = re.compile(r"[.-]\d[\d.-]*")


@dataclass(slots=True)
class FilePosition:
    """How far one file was read; `modified_ns` is its modification time then, ns."""

    inode: int
    offset: int = 0
    digest: str = ""
    modified_ns: int = 0
    file: BinaryIO | None = None

    @property
    def as_text(self) -> str:
        """Return the position as it is stored."""
        return f"{self.inode}:{self.offset}:{self.digest}:{self.modified_ns}"

    def read_lines(self, *, rotated: bool) -> list[bytes]:
        """Return the next whole lines; of a rotated file also a last event without a line end."""
        back = min(self.offset, DIGESTED_BYTES)
        text = self._read_at(self.offset - back, back + MAX_CHUNK_BYTES)
        if len(text) < back or (self.digest and _digest(text[:back]) != self.digest):
            self.offset, self.digest = 0, ""
            return self.read_lines(rotated=rotated)
        fresh = text[back:]
        end = fresh.rfind(b"\n") + 1
        if not end and (len(fresh) == MAX_CHUNK_BYTES or (rotated and _is_complete_json(fresh))):
            end = len(fresh)
        return self._advance(text[: back + end], fresh[:end])

    def read_rest(self) -> list[bytes]:
        """Return the bytes after the last whole line."""
        fresh = self._read_at(self.offset, MAX_CHUNK_BYTES)
        return self._advance(fresh, fresh)

    def _advance(self, text: bytes, fresh: bytes) -> list[bytes]:
        if fresh:
            self.offset += len(fresh)
            self.digest, self.modified_ns = _digest(text[-DIGESTED_BYTES:]), self.last_modified_ns()
        return fresh.splitlines()

    def _read_at(self, offset: int, count: int) -> bytes:
        return os.pread(self.file.fileno(), count, offset) if self.file else b""

    def last_modified_ns(self) -> int:
        """Return the file's modification time, ns."""
        return os.fstat(self.file.fileno()).st_mtime_ns if self.file else 0

    def is_intact(self) -> bool:
        """Return whether the file still has the bytes before this position."""
        back = min(self.offset, DIGESTED_BYTES)
        text = self._read_at(self.offset - back, back)
        return len(text) == back and (not self.digest or _digest(text) == self.digest)

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()
            self.file = None


def parse_position(text: str) -> FilePosition:
    """Return the position stored as `text`; one stored by an older version has no digest."""
    inode, offset, digest, modified_ns = [*text.split(":"), "", ""][:4]
    return FilePosition(int(inode), int(offset), digest, int(modified_ns or 0))


class FileTail:
    """Reads whole lines of a file and of its rotated predecessors; `cursor` is the position after them."""

    def __init__(self, path: Path, cursor: str) -> None:
        self._path = path
        self._saved_positions = [parse_position(text) for text in cursor.split(",") if text]
        self._positions: list[FilePosition] = []

    @property
    def cursor(self) -> str:
        """Return the positions as text, the newest file's last."""
        return ",".join(position.as_text for position in self._positions or self._saved_positions)

    def next_lines(self) -> list[bytes]:
        """Return the next lines of one file, older files first; none when there are no new lines."""
        if not self._positions:
            self._reopen_saved()
        self._follow_path()
        for position in list(self._positions):
            newest = position is self._positions[-1]
            if lines := position.read_lines(rotated=not newest):
                return lines
            if not newest and self._is_quiet(position):
                rest = position.read_rest()
                self._close_rotated(position)
                if rest:
                    return rest
        return []

    def _reopen_saved(self) -> None:
        """Open the files in the cursor, under any name."""
        names = {inode: name for name, inode in self._list_siblings()}
        for position in self._saved_positions:
            if position.inode in names:
                self._open_file(self._path.parent / names[position.inode], position)
        if not all(position.is_intact() for position in self._positions):
            self._open_rotated_unread()

    def _open_rotated_unread(self) -> None:
        """Open, oldest first, files that were rotated unread since the last read."""
        last_modified_ns = max((known.modified_ns for known in (*self._positions, *self._saved_positions)), default=0)
        open_inodes = {position.inode for position in self._positions}
        if not last_modified_ns:
            return
        candidates = []
        for name, inode in self._list_siblings():
            if inode not in open_inodes and name != self._path.name and self._is_own_name(name):
                path = self._path.parent / name
                with suppress(FileNotFoundError):
                    candidates.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(entry for entry in candidates if entry[0] >= last_modified_ns):
            self._open_file(path, self._find_copied_position(path))

    def _find_copied_position(self, path: Path) -> FilePosition | None:
        """Return the position in a copy of a file already read, as rotation by copy and truncation creates."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            for saved in (position for position in self._saved_positions if position.digest):
                position = FilePosition(inode, saved.offset, saved.digest, saved.modified_ns, file)
                if position.is_intact():
                    return FilePosition(inode, saved.offset, saved.digest, saved.modified_ns)
        return None

    def _is_own_name(self, name: str) -> bool:
        """Return whether the file has the path's name or that of a rotated file."""
        return name == self._path.name or bool(_ROTATION_SUFFIX.fullmatch(name.removeprefix(self._path.name)))

    def _list_siblings(self) -> Iterator[tuple[str, int]]:
        if self._path.parent.is_dir():
            with os.scandir(self._path.parent) as entries:
                yield from ((e.name, e.inode()) for e in entries if e.name.startswith(self._path.name) and e.is_file())

    def _open_file(self, path: Path, position: FilePosition | None = None) -> None:
        """Add a file; a saved position is ignored when its inode now belongs to another file."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        inode = os.fstat(file.fileno()).st_ino
        saved_positions = (saved for saved in self._saved_positions if saved.inode == inode)
        position = position or next(saved_positions, FilePosition(inode))
        if inode != position.inode or any(other.inode == inode for other in self._positions):
            file.close()
            return
        position.file = file
        if self._is_own_name(path.name) or position.is_intact():
            self._positions.append(position)
        else:
            position.close()

    def _follow_path(self) -> None:
        """Add the path's file when it is a new one and not empty."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return
        present = next((position for position in self._positions if position.inode == now.st_ino), None)
        if present is not None:
            self._positions.sort(key=lambda position: position is present)  # a reused inode may be among the old files
        elif now.st_size or not self._positions:
            self._open_rotated_unread()
            self._open_file(self._path)
        while len(self._positions) > MAX_FOLLOWED_FILES:
            self._close_rotated(self._positions[0])

    def _is_quiet(self, position: FilePosition) -> bool:
        return self._positions[-1].last_modified_ns() - position.last_modified_ns() > QUIET_AFTER_S * 1_000_000_000

    def _close_rotated(self, position: FilePosition) -> None:
        """Stop following a file, and make sure that it is not opened again as one rotated unread."""
        self._positions.remove(position)
        self._positions[-1].modified_ns = max(self._positions[-1].modified_ns, position.last_modified_ns() + 1)
        position.close()

    def close(self) -> None:
        """Close the files."""
        for position in self._positions:
            position.close()


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=8).hexdigest()


def _is_complete_json(text: bytes) -> bool:
    """Return whether this is a complete JSON object; no part of one is valid."""
    if not text.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
