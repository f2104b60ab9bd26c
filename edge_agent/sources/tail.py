"""Follows a growing file's content through rotation, copies, truncation and restarts; it must not interpret lines.

A followed file is its content, not its inode: after a restart, and whenever the file was replaced, the content before a
position is looked for in the file, in its rotated predecessors (also compressed ones) and in folders beside it.  A
rotated file is followed until it has been quiet for `QUIET_AFTER_S`: a program may finish its last line after the new
file was created.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.sources.compressed_content import ARCHIVE_SUFFIXES, UnreadableFile
from edge_agent.sources.file_position import FilePosition, parse_position
from edge_agent.sources.followed_file import MAX_CHUNK_BYTES, open_followed
from edge_agent.sources.rotated_names import RotatedNames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.sources.followed_file import FollowedFile

__all__ = ["MAX_CHUNK_BYTES", "QUIET_AFTER_S", "FileTail"]
_log = Logger(__name__)
QUIET_AFTER_S = 600
"""A rotated file is finished when its last write is this much older than the newest file's, s."""
MAX_FOLLOWED_FILES = 256
"""Most rotated files followed at once; beyond that the oldest is dropped."""
MAX_FINISHED_FILES = 16
"""How many finished files are remembered, so that a copy of one is not read again."""
MAX_FOLDERS = 32
"""Most folders beside the file that are searched for content."""
ARCHIVE_SETTLES_S = 60
"""An archive that cannot be read and was written this recently is still being written, s."""
_TIME_SLACK_NS = 2_000_000_000
"""Copies and archives may keep modification times in steps of 2 s."""


@dataclass(slots=True)
class FollowCounters:
    """What could not be followed since the start."""

    lost: int = 0
    """Files of which content that was not yet read cannot be found or read."""
    rewritten: int = 0
    """Files whose earlier content was changed; lines near the change may be missing or be read again."""


class FileTail:
    """Reads whole lines of a file and of its rotated predecessors; `cursor` is the position after them."""

    def __init__(self, path: Path, cursor: str) -> None:
        self._path = path
        saved = [parse_position(text) for text in cursor.split(",") if text]
        self._finished = [position for position in saved if position.is_finished]
        self._unlocated = [position for position in saved if not position.is_finished]
        self._positions: list[FilePosition] = []
        self._unreadable: set[Path] = set()
        self._unsettled: dict[Path, tuple[int, int]] = {}
        self._looks: set[tuple[int, ...]] = set()
        self._has_looked = False
        self.counters = FollowCounters()

    @property
    def cursor(self) -> str:
        """Return the positions as text, the newest file's last."""
        known = (*self._finished, *self._unlocated, *self._positions)
        return ",".join(position.as_text for position in known)

    def next_lines(self) -> list[bytes]:
        """Return the next lines of one file, older files first; none when there are no new lines. Raises OSError."""
        present = None
        with suppress(FileNotFoundError):
            present = self._path.stat()
        if self._unlocated:
            self._locate_saved()
        if self._unsettled:
            self._look_at_unsettled()
        for position in list(self._positions):
            self._check_content(position)
        if present is not None:
            self._follow_path(present)
        for position in list(self._positions):
            if lines := self._read_position(position, is_newest=position is self._positions[-1]):
                return lines
        return []

    def close(self) -> None:
        """Close the files."""
        for position in self._positions:
            _close_file(position)

    def _read_position(self, position: FilePosition, *, is_newest: bool) -> list[bytes]:
        try:
            position.skip_known()
            had_read_further = position.has_read_further
            lines = position.read_lines(is_final=not is_newest)
            position.is_drained = not lines
            if lines:
                self._count_rewritten(had_read_further and not position.has_read_further)
                return lines
            if not is_newest and self._is_complete(position):
                rest = position.read_rest()
                self._finish(position)
                return rest
        except UnreadableFile as error:
            self._give_up_unreadable(position, error)
        return []

    def _check_content(self, position: FilePosition) -> None:
        try:
            if not position.is_intact():
                self._handle_rewritten(position)
        except UnreadableFile as error:
            self._give_up_unreadable(position, error)

    def _give_up_unreadable(self, position: FilePosition, error: UnreadableFile) -> None:
        """Stop following a damaged file; an archive that is still being written is looked for again."""
        path = position.open_file.path
        self._count_unreadable(path, error)
        if path in self._unsettled:
            self._positions.remove(position)
            _close_file(position)
            if position.offset:
                self._unlocated.append(position.without_file())
        else:
            self._finish(position)

    def _look_at_unsettled(self) -> None:
        """Open again the archives that were still being written, once they changed or came to rest."""
        for path, look in list(self._unsettled.items()):
            if _look_of(path) != look or not _is_being_written(path):
                del self._unsettled[path]
                self._open_rotated(path)
        if not self._unsettled and self._positions:
            self._give_up_unlocated()

    def _count_rewritten(self, changed: bool) -> None:  # noqa: FBT001
        if changed:
            self.counters.rewritten += 1
            _log.warning(
                "earlier_lines_changed", path=str(self._path), remedy="let the program append to its file only"
            )

    def _is_complete(self, position: FilePosition) -> bool:
        """Return whether nothing more is written to a rotated file."""
        if position.file is not None and position.file.is_compressed:
            return True
        age_ns = self._positions[-1].last_modified_ns() - position.last_modified_ns()
        return age_ns > QUIET_AFTER_S * 1_000_000_000

    def _finish(self, position: FilePosition) -> None:
        """Stop following a file, and remember it so that it is not opened again as one rotated unread."""
        self._positions.remove(position)
        if self._positions:
            self._positions[-1].modified_ns = max(self._positions[-1].modified_ns, position.last_modified_ns() + 1)
        self._remember(position)
        _close_file(position)

    def _remember(self, position: FilePosition) -> None:
        position.is_finished = True
        if position.digest:
            self._finished = [*self._finished, position][-MAX_FINISHED_FILES:]

    def _follow_path(self, present: os.stat_result) -> None:
        """Make the path's file the newest one; an empty file is no new one yet. Raises OSError."""
        current = next((p for p in self._positions if p.file and os.path.samestat(p.file.status, present)), None)
        if not self._has_looked:
            self._has_looked = True
            self._open_rotated_unread()
        if current is None and (present.st_size or not (self._positions or self._unlocated)):
            self._open_rotated_unread()
            current = self._open_path()
            if not self._unsettled:
                self._give_up_unlocated()
        if current is not None:
            self._positions.sort(key=lambda position: position is current)  # one found by its inode may be an old file
        while len(self._positions) > MAX_FOLLOWED_FILES:
            self._drop_oldest()

    def _open_path(self) -> FilePosition | None:
        try:
            file = open_followed(self._path, plain=True)
        except FileNotFoundError:
            return None
        position = self._continue_copied(file) or self._continue_rewritten(file)
        self._positions.append(position or FilePosition(file.status.st_ino, file=file))
        self._positions[-1].look_at_head()
        return self._positions[-1]

    def _continue_copied(self, file: FollowedFile) -> FilePosition | None:
        """Return the position in a file that was copied over the path with the content that was read."""
        copied = self._find_known(file)
        if copied is None:
            return None
        position = copied.continue_in(file)
        if copied in self._positions:
            copied.skip_common_content(file)
        self._unlocated = [other for other in self._unlocated if other is not copied]
        return position

    def _continue_rewritten(self, file: FollowedFile) -> FilePosition | None:
        """Return the position at the end of the content that the path's new file has in common with the last one."""
        for position in (*reversed(self._unlocated), *reversed(self._positions)):
            if common_end := position.find_common_end(file):
                self._unlocated = [other for other in self._unlocated if other is not position]
                return position.continue_in(file, common_end)
        return None

    def _find_known(self, file: FollowedFile) -> FilePosition | None:
        """Return the position of which the file has all content that was read, the farthest one."""
        known = [p for p in (*self._finished, *self._unlocated, *self._positions) if p.is_in(file)]
        return max(known, key=lambda position: position.offset, default=None)

    def _open_rotated_unread(self) -> None:
        """Open, oldest first, files that were rotated unread since the last read."""
        known = (*self._finished, *self._unlocated, *self._positions)
        last_modified_ns = max((position.modified_ns for position in known), default=0)
        if not last_modified_ns:
            return
        names, candidates = self._names(), []
        for entry in self._list_files(with_folders=False):
            if names.is_rotated(entry.name) and not self._is_open(entry):
                with suppress(FileNotFoundError):
                    candidates.append((entry.stat().st_mtime_ns, entry.path))
        for _, path in sorted(candidate for candidate in candidates if candidate[0] >= last_modified_ns):
            self._open_rotated(Path(path))

    def _open_rotated(self, path: Path) -> None:
        """Open a rotated file, after the content that was read; one whose content is followed already is left alone."""
        look = _look_of(path)
        if not look[0] and _is_being_written(path):
            self._unsettled[path] = look
            return
        try:
            file = open_followed(path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._count_unreadable(path, error)
            return
        try:
            position = self._position_in_rotated(file)
        except OSError as error:
            self._count_unreadable(path, error)
            position = None
        if position is None:
            file.close()
        else:
            self._positions.append(position)
            position.look_at_head()

    def _position_in_rotated(self, file: FollowedFile) -> FilePosition | None:
        read_before = self._find_known(file)
        if read_before is None:
            return FilePosition(file.status.st_ino, file=file)
        if read_before in self._positions:
            return None
        position = read_before.continue_in(file)
        self._unlocated = [other for other in self._unlocated if other is not read_before]
        return position if position.has_more() else None

    def _handle_rewritten(self, position: FilePosition) -> None:
        """Continue in a file whose content before the position was changed in place."""
        file = position.open_file
        at = self._positions.index(position)
        if common_end := position.find_common_end(file):
            self._positions[at] = position.continue_in(file, common_end)
            return
        former = position.without_file()
        copy = self._find_content(former)
        self._positions[at] = current = FilePosition(position.inode, modified_ns=position.modified_ns, file=file)
        current.look_at_head()
        if copy is not None:
            self._positions.insert(at, former.continue_in(copy))
        else:
            self._remember(former)
        followed = len(self._positions)
        self._open_rotated_unread()
        if copy is None and not position.is_drained and (position.offset or len(self._positions) == followed):
            self._count_lost("the file was emptied before all of it was read")
        self._positions.sort(key=lambda other: other is current)

    def _locate_saved(self) -> None:
        """Open the files in the cursor by their content, under any name."""
        unlocated: list[FilePosition] = []
        located: list[FilePosition] = []
        for position in reversed(self._unlocated):
            if any(p.offset >= position.offset and position.is_in(p.open_file) for p in located):
                continue  # the other file is a copy of this one, and was read further
            file = self._find_content(position)
            if file is None:
                unlocated.append(position)
            else:
                self._positions.append(position.continue_in(file))
                located.append(self._positions[-1])
        self._positions.sort(key=lambda position: -located.index(position) if position in located else -len(located))
        self._unlocated = unlocated[::-1]

    def _find_content(self, position: FilePosition) -> FollowedFile | None:
        """Return a file with the content that was read: first the one of the same inode, then the path's."""
        names = self._names()
        entries = sorted(
            self._list_files(), key=lambda e: (e.inode() != position.inode, e.name != self._path.name, e.name)
        )
        for entry in entries:
            if self._is_open(entry) or not _may_hold(entry, position, names) or not self._is_new_look(entry, position):
                continue
            with suppress(OSError):
                file = open_followed(Path(entry.path), plain=entry.name == self._path.name)
                with suppress(OSError):
                    if position.is_in(file) or _is_blank_of(position, entry):
                        return file
                file.close()
        return None

    def _is_new_look(self, entry: os.DirEntry[str], position: FilePosition) -> bool:
        """Return whether this file, as it is now, was not yet searched for the position's content."""
        with suppress(FileNotFoundError):
            status = entry.stat()
            look = (position.inode, position.offset, status.st_ino, status.st_size, status.st_mtime_ns)
            is_new = look not in self._looks
            self._looks.add(look)
            return is_new
        return False

    def _list_files(self, *, with_folders: bool = True) -> Iterator[os.DirEntry[str]]:
        """Yield the files beside the path and beside the file it links to; with those in folders beside it."""
        folders = {self._path.parent, Path(os.path.realpath(self._path)).parent}
        below: list[str] = []
        for folder in folders:
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file():
                        yield entry
                    elif entry.is_dir():
                        below.append(entry.path)
        for path in below[:MAX_FOLDERS] if with_folders else ():
            with suppress(OSError), os.scandir(path) as entries:
                yield from (entry for entry in entries if entry.is_file())

    def _names(self) -> RotatedNames:
        return RotatedNames(self._path.name, Path(os.path.realpath(self._path)).name)

    def _is_open(self, entry: os.DirEntry[str]) -> bool:
        with suppress(OSError):
            status = entry.stat()
            return any(p.file and os.path.samestat(p.file.status, status) for p in self._positions)
        return True

    def _give_up_unlocated(self) -> None:
        for position in self._unlocated:
            if position.offset and not position.is_drained:
                self._count_lost("a followed file is gone, and its content is in no file beside it")
            self._remember(position)
        self._unlocated = []

    def _drop_oldest(self) -> None:
        oldest = self._positions[0]
        if oldest.has_more():
            self._count_lost(f"over {MAX_FOLLOWED_FILES} rotated files wait to be read")
        self._finish(oldest)

    def _count_unreadable(self, path: Path, error: OSError) -> None:
        """Count a rotated file that cannot be read, once; an archive that is still being written is none yet."""
        if _is_being_written(path):
            self._unsettled[path] = _look_of(path)
        elif path not in self._unreadable:
            self._unreadable.add(path)
            self._count_lost(f"{path.name}: {error}")

    def _count_lost(self, problem: str) -> None:
        self.counters.lost += 1
        remedy = (
            "post what is missing to an `http` source; rotate beside the file, by rename or gzip, and keep one file"
        )
        _log.warning("content_not_followed", path=str(self._path), problem=problem, remedy=remedy)


def _look_of(path: Path) -> tuple[int, int]:
    """Return a file's size and modification time, zeros when it is gone."""
    with suppress(OSError):
        status = path.stat()
        return status.st_size, status.st_mtime_ns
    return 0, 0


def _is_being_written(path: Path) -> bool:
    """Return whether this is an archive that was written just now."""
    age_s = time.time() - _look_of(path)[1] / 1e9
    return path.suffix.lower() in ARCHIVE_SUFFIXES and -ARCHIVE_SETTLES_S < age_s < ARCHIVE_SETTLES_S


def _may_hold(entry: os.DirEntry[str], position: FilePosition, names: RotatedNames) -> bool:
    """Return whether a file may have the content before a position: by its inode, or its name and age."""
    if entry.inode() == position.inode:
        return True
    if not (position.digest or position.head) or not names.may_hold_content(entry.name):
        return False
    with suppress(FileNotFoundError):
        return entry.stat().st_mtime_ns >= position.modified_ns - _TIME_SLACK_NS
    return False


def _is_blank_of(position: FilePosition, entry: os.DirEntry[str]) -> bool:
    """Return whether nothing is known of the position but its inode, which is the file's."""
    return not position.offset and position.head is None and entry.inode() == position.inode


def _close_file(position: FilePosition) -> None:
    if position.file is not None:
        position.file.close()
        position.file = None
