"""Reads the export of a dossier system whenever its file has changed; it must not log a row's content.

The file may be appended to, or replaced by a longer one every night: rows are recognised by their dossier, not by
their place.  A file that is still being written is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.mapping.table_rows import TableReader
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.dossier_feed import DossierFeed

_log = Logger(__name__)
MAX_EXPORT_AGE_MS = 4 * 86_400_000
"""An export that was not written for longer, a long weekend, is no source any more."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What tells one state of a file from another."""

    inode: int
    size: int
    written_ns: int


@dataclass(slots=True)
class _RowFaults:
    """Counts the faults of a pass; the first one is logged with its line, without the cell."""

    source: str
    count: int = 0

    def report(self, line: int, column: str, kind: str, remedy: str, text: str | None = None) -> None:
        del text  # it may be personal data
        self.count += 1
        if self.count == 1:
            _log.warning("row_unreadable", source=self.source, line=line, column=column, problem=kind, remedy=remedy)


@dataclass(slots=True)
class DossierFileSource:
    """Reads the file when two looks in a row find it changed and at rest, and publishes the backlog daily."""

    path: Path
    feed: DossierFeed
    every_ms: int = 60_000
    name: str = "dossier_file"
    _looked_at: FileVersion | None = None
    _read: FileVersion | None = None
    _read_on: str = ""

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Look at the file until stopped. Raises SaltUnreadable."""
        while not stop.is_set():
            self.look(outbox, stop.is_set)
            stop.wait(self.every_ms / 1000)

    def look(self, outbox: Sink, is_stopped: Callable[[], bool]) -> bool:
        """Read the file if it has changed and rests, then publish the day's backlog; returns whether it was read.

        `is_stopped` is also called while a long file is read, as the source's heartbeat.
        """
        version = self._version()
        if version is None:
            self._looked_at = None
            return False
        is_at_rest, self._looked_at = version == self._looked_at, version
        today = to_local(self.feed.clock(), self.feed.mapping.zone).date().isoformat()
        is_due = version != self._read or (self.feed.has_rows_ahead and today != self._read_on)
        if not is_at_rest:
            return False
        if is_due:
            self._read_whole(outbox, version, is_stopped)
            self._read_on = today
        if self.feed.clock() - version.written_ns // 1_000_000 > MAX_EXPORT_AGE_MS:
            self.feed.forget_dossiers()
            self.feed.raise_alarm("source_failed", self.name)
        else:
            self.feed.publish_backlog(outbox)
        return is_due

    def _read_whole(self, outbox: Sink, version: FileVersion, is_stopped: Callable[[], bool]) -> None:
        faults = _RowFaults(self.name)
        self.feed.take_rows(outbox, self._rows(faults, is_stopped), is_whole=True)
        if self._version() != version:  # it was changed meanwhile: read it again
            self.feed.forget_dossiers()
            return
        self._read = version

    def _rows(self, faults: _RowFaults, is_stopped: Callable[[], bool]) -> Iterator[RowCells | None]:
        reader = TableReader(self.feed.mapping, str(self.path), faults.report, lambda _: is_stopped())
        for row in reader.rows():
            yield row.cells
        for _ in range(faults.count):
            yield None

    def _version(self) -> FileVersion | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return FileVersion(status.st_ino, status.st_size, status.st_mtime_ns)
