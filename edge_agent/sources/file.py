"""Follows a growing file of JSON lines, through rotation and truncation; it must not log what a line says.

Of several rotations while the agent is down only the file it was in and the newest are read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.log import Log
from edge_agent.sources.given import BadEvent, event_of, parsed

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event as Signal

    from edge_agent.outbox import Outbox
    from edge_agent.sources.state import DeviceState
    from telemetry.core.events import Event

_log = Log(__name__)
CHUNK = 256 * 1024
"""Most bytes read and committed at once; a longer line is no event."""


@dataclass(slots=True)
class FileSource:
    """Appends the file's events; lines that are none are counted in `bad` and skipped."""

    path: Path
    state: DeviceState
    name: str = "file"
    wait_s: float = 0.5
    bad: int = 0

    def run(self, outbox: Outbox, stop: Signal) -> None:
        """Follow the file until stopped, from where the last commit ended."""
        tail = Tail(self.path, outbox.cursor(self.name))
        try:
            while not stop.is_set():
                if not self.once(tail, outbox):
                    stop.wait(self.wait_s)
        finally:
            tail.close()

    def once(self, tail: Tail, outbox: Outbox) -> bool:
        """Commit the next lines with the cursor behind them; tells whether there were any."""
        lines = tail.lines()
        if not lines:
            return False
        events = self._events(lines)
        outbox.append(events, source=self.name, cursor=tail.cursor)
        for event in events:
            self.state.follow(event)
        return True

    def _events(self, lines: list[bytes]) -> list[Event]:
        events, bad = [], 0
        for line in lines:
            try:
                events.append(event_of(parsed(line)))
            except BadEvent:
                bad += 1
        self.bad += bad
        if bad:
            _log.warning("bad_lines_skipped", source=self.name, lines=bad, since_start=self.bad)
        return events


class Tail:
    """Complete lines of a file that is appended to, and the place behind those handed out."""

    def __init__(self, path: Path, cursor: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        inode, _, offset = cursor.partition(":")
        self._inode, self._offset = int(inode or 0), int(offset or 0)

    @property
    def cursor(self) -> str:
        """Return `inode:offset`."""
        return f"{self._inode}:{self._offset}"

    def lines(self) -> list[bytes]:
        """Return the next lines, none when there is nothing to read now."""
        if self._file is None and not self._open():
            return []
        newer = self._newer()
        if found := self._read(last=newer):
            return found
        if newer:
            self.close()
            self._inode = self._offset = 0
            return self.lines()
        return []

    def _open(self) -> bool:
        """Open the file the cursor is in, under whatever name, else the path from its start."""
        try:
            self._file = (self._renamed() or self._path).open("rb")
        except FileNotFoundError:
            return False
        inode = os.fstat(self._file.fileno()).st_ino
        if inode != self._inode:
            self._inode, self._offset = inode, 0
        return True

    def _renamed(self) -> Path | None:
        if not self._inode or not self._path.parent.is_dir():
            return None
        with os.scandir(self._path.parent) as entries:
            kept = [e.name for e in entries if e.name.startswith(self._path.name) and e.inode() == self._inode]
        return self._path.parent / kept[0] if kept else None

    def _newer(self) -> bool:
        """Tell whether the path is another file by now, and already written to."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        return now.st_ino != self._inode and now.st_size > 0

    def _read(self, *, last: bool) -> list[bytes]:
        """Return whole lines; of a file that is done (`last`) and of an overlong line also what has no end."""
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._offset:
            self._offset = 0
        self._file.seek(self._offset)
        text = self._file.read(CHUNK)
        end = text.rfind(b"\n") + 1
        if not end and (last or len(text) == CHUNK):
            end = len(text)
        self._offset += end
        return text[:end].splitlines()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
