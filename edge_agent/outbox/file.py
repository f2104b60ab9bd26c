"""One SQLite file shared by threads: group commits, repair of damage, reserved disk space; it handles no rows.

Callers that commit at the same time share one transaction and so one sync to disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edge_agent.log import Logger
from edge_agent.outbox import disk, outbox_id, salvage
from edge_agent.outbox.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_log = Logger("edge_agent.outbox")
MAX_GROUP_COMMIT = 256
"""Most callers that share one commit."""
T = TypeVar("T")


class OutboxFull(sqlite3.OperationalError):
    """The disk is full: nothing was written, the caller must try again later."""


@dataclass(slots=True)
class _CommitRequest:
    work: Callable[[sqlite3.Connection], object]
    done: bool = False
    result: object = None
    error: Exception | None = None


class OutboxFile:
    """The open file. `on_opened` is called with the connection after every opening and after every roll-back."""

    def __init__(
        self, path: Path, new_outbox_id: Callable[[], str], wall: Callable[[], int],
        on_opened: Callable[[sqlite3.Connection], None],
        reserve_bytes: int = 0,
    ) -> None:  # fmt: skip
        """Open or create; a damaged file is replaced. Raises OutboxTooNew, sqlite3.Error, OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._new_outbox_id, self._wall, self._on_opened = path, new_outbox_id, wall, on_opened
        self._reserve = disk.DiskReserve(path.with_name(f"{path.name}.reserve"), reserve_bytes)
        self._requests: deque[_CommitRequest] = deque()
        self.lock = threading.RLock()
        self.is_disk_full = False
        """Whether the last write failed because the disk was full."""
        self.generation = 0
        """How many times a damaged file was replaced."""
        disk.finish_swap(path)
        try:
            self.db = self._open()
        except sqlite3.DatabaseError as error:
            if not disk.is_corrupt(error):
                raise
            self._replace_corrupt_file(error)
        self._reserve.fill()

    def _open(self) -> sqlite3.Connection:
        db = disk.connect(self._path)
        try:
            with _transaction(db):
                migrate(db, self._path, self._new_outbox_id)
            self._secure_outbox_id(db)
            self._on_opened(db)
        except Exception:
            db.close()
            raise
        return db

    def _secure_outbox_id(self, db: sqlite3.Connection) -> None:
        """Restore a damaged id from its copy with an alarm, or the copy. Raises OutboxIdLost."""
        if outbox_id.is_outbox_id_intact(db):
            return
        restored, is_first_copy = outbox_id.read_outbox_id(db), not outbox_id.has_copy(db)
        try:
            with _transaction(db):
                outbox_id.write_outbox_id(db, restored)
                if not is_first_copy:
                    salvage.insert_alarm(db, "outbox-id", self._wall())
        except sqlite3.Error as error:
            if not disk.is_disk_full(error):
                raise
        if not is_first_copy:
            remedy = "look at this device's disk and power; all rows stay under their id"
            _log.error("outbox_id_restored", file=str(self._path), outbox=restored, remedy=remedy)

    def _replace_corrupt_file(self, error: BaseException) -> None:
        """Replace the damaged file by a fresh one with every row that can still be read."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.db.close()
        self._reserve.release()
        now = self._wall()
        result = salvage.rebuild_outbox(self._path, disk.fresh_path(self._path), self._new_outbox_id, now)
        corrupt_path = disk.swap_in_fresh(self._path, str(now))
        _log.error(
            "outbox_corrupt",
            file=str(corrupt_path),
            error=str(error),
            carried_over=result.row_count,
            named=result.keeps_outbox_id,
        )
        self.generation += 1
        self.db = self._open()
        self._reserve.fill()

    def commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run the work in a durable transaction, shared with concurrent callers; returns its result.

        Raises OutboxFull, sqlite3.Error; nothing was written then.
        """
        request = _CommitRequest(work)
        self._requests.append(request)
        with self.lock:
            while not request.done:
                self._commit_next_group()
        if request.error is not None:
            raise request.error
        return cast("T", request.result)

    def _commit_next_group(self) -> None:
        requests = [self._requests.popleft() for _ in range(min(MAX_GROUP_COMMIT, len(self._requests)))]
        try:
            self._commit_requests(requests)
        except Exception as error:  # noqa: BLE001 - each request is tried alone next, which isolates the failing one
            self._recover(error)
            for request in requests:
                self._commit_single(request)
        for request in requests:
            request.done = True

    def _commit_requests(self, requests: Sequence[_CommitRequest]) -> None:
        with self.transaction() as db:
            for request in requests:
                request.result = request.work(db)

    def _commit_single(self, request: _CommitRequest) -> None:
        try:
            self._commit_requests([request])
        except Exception as error:  # noqa: BLE001 - passed to the caller
            request.error = self._translate_error(error)

    def _translate_error(self, error: Exception) -> Exception:
        if not disk.is_disk_full(error):
            return error
        self.is_disk_full = True
        return OutboxFull(f"{self._path}: {error}; free space on this disk, then send again what was not accepted")

    def _recover(self, error: Exception) -> None:
        """Repair what can be repaired before another attempt."""
        if disk.is_corrupt(error):
            self._replace_corrupt_file(error)
        elif disk.is_disk_full(error):
            self.is_disk_full = True
            self._truncate_wal()

    def _truncate_wal(self) -> None:
        """Free the space of the write-ahead log."""
        with contextlib.suppress(sqlite3.Error):
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction; a failure rolls it back."""
        with self.lock:
            try:
                with _transaction(self.db) as db:
                    yield db
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._on_opened(self.db)
                raise

    def commit_freeing(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Run work that frees rows: on a full disk it may use the reserved space, which appends never may.

        Unless `durable`, a power failure may undo it as a whole, and it does not wait for the disk.
        """
        with self.lock:
            if self.is_disk_full:
                return self._commit_using_reserve(work, durable=durable)
            try:
                return self._commit_alone(work, durable=durable)
            except sqlite3.Error as error:
                self._recover(error)
                retry = self._commit_using_reserve if disk.is_disk_full(error) else self._commit_alone
                return retry(work, durable=durable)

    def _commit_using_reserve(self, work: Callable[[sqlite3.Connection], T], *, durable: bool) -> T:
        self._reserve.release()
        try:
            return self._commit_alone(work, durable=durable)
        finally:
            self._truncate_wal()
            self._reserve.fill()

    def _commit_alone(self, work: Callable[[sqlite3.Connection], T], *, durable: bool) -> T:
        self.db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        try:
            with self.transaction() as db:
                return work(db)
        finally:
            self.db.execute("PRAGMA synchronous=FULL")

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Return a query's rows. Raises sqlite3.Error."""
        with self.lock:
            try:
                return self.db.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                if not disk.is_corrupt(error):
                    raise
                self._replace_corrupt_file(error)
                return self.db.execute(sql, values).fetchall()

    def disk_recovered(self) -> bool:
        """Return whether a disk that was full has space again."""
        with self.lock:
            if self.is_disk_full and self._reserve.fill() and disk.free_bytes(self._path) >= disk.MIN_FREE_BYTES:
                self.is_disk_full = False
                return True
            return False

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self.db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk makes SQLite roll back by itself
            db.execute("ROLLBACK")
        raise
