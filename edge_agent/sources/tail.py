"""Reads whole lines of a file that grows, through rotation, truncation and restarts; it must not know what lines say.

A place in a file is its inode, an offset and a digest of the bytes before it, so that a file truncated in place
and grown again past the offset is noticed.  A rotated file is followed until it has been quiet for `QUIET_S`:
a program may finish its last line after the new file was begun.
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

CHUNK = 256 * 1024
"""Most bytes read and committed at once; a longer line is no event."""
BEFORE = 256
"""Bytes before a place that its digest covers."""
QUIET_S = 600
"""A rotated file is done when its last write is this much older than the newest file's."""
MOST_FILES = 16
"""Rotated files followed at once; beyond it the oldest is given up."""
_ROTATED = re.compile(r"[.-]\d[\d.-]*")


@dataclass(slots=True)
class Place:
    """How far one file was read; `seen` is its time of last change then, ns."""

    inode: int
    offset: int = 0
    mark: str = ""
    seen: int = 0
    file: BinaryIO | None = None

    @property
    def text(self) -> str:
        """Return the place as it is kept."""
        return f"{self.inode}:{self.offset}:{self.mark}:{self.seen}"

    def read(self, *, rotated: bool) -> list[bytes]:
        """Return the next whole lines; of a rotated file also a last event that got no line end."""
        back = min(self.offset, BEFORE)
        text = self._at(self.offset - back, back + CHUNK)
        if len(text) < back or (self.mark and _mark(text[:back]) != self.mark):
            self.offset, self.mark = 0, ""
            return self.read(rotated=rotated)
        fresh = text[back:]
        end = fresh.rfind(b"\n") + 1
        if not end and (len(fresh) == CHUNK or (rotated and _whole(fresh))):
            end = len(fresh)
        return self._taken(text[: back + end], fresh[:end])

    def rest(self) -> list[bytes]:
        """Return what stands behind the last whole line."""
        fresh = self._at(self.offset, CHUNK)
        return self._taken(fresh, fresh)

    def _taken(self, text: bytes, fresh: bytes) -> list[bytes]:
        if fresh:
            self.offset += len(fresh)
            self.mark, self.seen = _mark(text[-BEFORE:]), self.changed()
        return fresh.splitlines()

    def _at(self, offset: int, count: int) -> bytes:
        return os.pread(self.file.fileno(), count, offset) if self.file else b""

    def changed(self) -> int:
        """Return when the file was last written, ns."""
        return os.fstat(self.file.fileno()).st_mtime_ns if self.file else 0

    def holds(self) -> bool:
        """Tell whether the file still has the bytes before this place."""
        back = min(self.offset, BEFORE)
        text = self._at(self.offset - back, back)
        return len(text) == back and (not self.mark or _mark(text) == self.mark)

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()
            self.file = None


def place_of(text: str) -> Place:
    """Return the place that was kept as `text`; one kept by an older version has no digest."""
    inode, offset, mark, seen = [*text.split(":"), "", ""][:4]
    return Place(int(inode), int(offset), mark, int(seen or 0))


class Tail:
    """Whole lines of a file and of those rotated away from it, and the places behind the lines handed out."""

    def __init__(self, path: Path, cursor: str) -> None:
        self._path = path
        self._kept = [place_of(text) for text in cursor.split(",") if text]
        self._places: list[Place] = []

    @property
    def cursor(self) -> str:
        """Return the places, the newest file's last."""
        return ",".join(place.text for place in self._places or self._kept)

    def lines(self) -> list[bytes]:
        """Return the next lines of one file, older files first; none when there is nothing to read now."""
        if not self._places:
            self._reopen()
        self._follow()
        for place in list(self._places):
            newest = place is self._places[-1]
            if found := place.read(rotated=not newest):
                return found
            if not newest and self._done(place):
                rest = place.rest()
                self._leave(place)
                if rest:
                    return rest
        return []

    def _reopen(self) -> None:
        """Open the files the cursor is in, under whatever name."""
        names = {inode: name for name, inode in self._siblings()}
        for place in self._kept:
            if place.inode in names:
                self._open(self._path.parent / names[place.inode], place)
        if not all(place.holds() for place in self._places):
            self._between()

    def _between(self) -> None:
        """Open, oldest first, what was rotated away unread since we last read anything."""
        seen = max((place.seen for place in (*self._places, *self._kept)), default=0)
        known = {place.inode for place in self._places}
        if not seen:
            return
        found = []
        for name, inode in self._siblings():
            if inode not in known and name != self._path.name and self._ours(name):
                path = self._path.parent / name
                with suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(entry for entry in found if entry[0] >= seen):
            self._open(path, self._copied(path))

    def _copied(self, path: Path) -> Place | None:
        """Return our place in a file that is a copy of one we read, as rotation by copy and truncation leaves it."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            for kept in (place for place in self._kept if place.mark):
                place = Place(inode, kept.offset, kept.mark, kept.seen, file)
                if place.holds():
                    return Place(inode, kept.offset, kept.mark, kept.seen)
        return None

    def _ours(self, name: str) -> bool:
        """Tell whether the file has the path's name or one that rotation gives."""
        return name == self._path.name or bool(_ROTATED.fullmatch(name.removeprefix(self._path.name)))

    def _siblings(self) -> Iterator[tuple[str, int]]:
        if self._path.parent.is_dir():
            with os.scandir(self._path.parent) as entries:
                yield from ((e.name, e.inode()) for e in entries if e.name.startswith(self._path.name) and e.is_file())

    def _open(self, path: Path, place: Place | None = None) -> None:
        """Add a file; a kept place whose inode belongs to a stranger by now is left."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        inode = os.fstat(file.fileno()).st_ino
        place = place or next((kept for kept in self._kept if kept.inode == inode), Place(inode))
        if inode != place.inode or any(other.inode == inode for other in self._places):
            file.close()
            return
        place.file = file
        if self._ours(path.name) or place.holds():
            self._places.append(place)
        else:
            place.close()

    def _follow(self) -> None:
        """Add the path's file when it is another one by now and already written to."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return
        present = next((place for place in self._places if place.inode == now.st_ino), None)
        if present is not None:
            self._places.sort(key=lambda place: place is present)  # an inode used again may stand among the old
        elif now.st_size or not self._places:
            self._between()
            self._open(self._path)
        while len(self._places) > MOST_FILES:
            self._leave(self._places[0])

    def _done(self, place: Place) -> bool:
        return self._places[-1].changed() - place.changed() > QUIET_S * 1_000_000_000

    def _leave(self, place: Place) -> None:
        """Give a file up, so that it is never again taken for one rotated away unread."""
        self._places.remove(place)
        self._places[-1].seen = max(self._places[-1].seen, place.changed() + 1)
        place.close()

    def close(self) -> None:
        """Close the files."""
        for place in self._places:
            place.close()


def _mark(text: bytes) -> str:
    return blake2b(text, digest_size=8).hexdigest()


def _whole(text: bytes) -> bool:
    """Tell whether this is all of a JSON object: no part of one is one."""
    if not text.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
