"""One SQLite file shared by threads: commits in groups, repair of damage, room on a full disk; it knows no rows.

Callers that commit at the same time share one transaction and so one wait for the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edge_agent.log import Log
from edge_agent.outbox import disk, salvage
from edge_agent.outbox.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_log = Log("edge_agent.outbox")
GROUP = 256
"""Most callers that share one commit."""
T = TypeVar("T")


class OutboxFull(sqlite3.OperationalError):
    """The disk is full: nothing was kept, the caller must try again later."""


@dataclass(slots=True)
class _Ask:
    work: Callable[[sqlite3.Connection], object]
    done: bool = False
    answer: object = None
    error: Exception | None = None


class OutboxFile:
    """The open file. `opened` is called with the connection after every opening and after every roll-back."""

    def __init__(
        self, path: Path, new_spool: Callable[[], str], wall: Callable[[], int],
        opened: Callable[[sqlite3.Connection], None],
        reserve: int = 0,
    ) -> None:  # fmt: skip
        """Open or create; a damaged file is replaced. Raises OutboxTooNew, sqlite3.Error, OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._new_spool, self._wall, self._opened = path, new_spool, wall, opened
        self._reserve = disk.Reserve(path.with_name(f"{path.name}.reserve"), reserve)
        self._asks: deque[_Ask] = deque()
        self.lock = threading.RLock()
        self.full = False
        """Whether the last word of the disk was that there is no room."""
        self.generation = 0
        """How often a damaged file was replaced."""
        disk.adopt(path)
        try:
            self.db = self._open()
        except sqlite3.DatabaseError as error:
            if not disk.damaged(error):
                raise
            self._replace(error)
        self._reserve.fill()

    def _open(self) -> sqlite3.Connection:
        db = disk.connect(self._path)
        try:
            with _transaction(db):
                migrate(db, str(self._path), self._new_spool)
            self._opened(db)
        except Exception:
            db.close()
            raise
        return db

    def _replace(self, error: BaseException) -> None:
        """Put a fresh file in the damaged one's place, with every row that can still be read."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.db.close()
        self._reserve.release()
        now = self._wall()
        done = salvage.rebuild(self._path, disk.fresh_name(self._path), self._new_spool, now)
        aside = disk.put_in_place(self._path, str(now))
        _log.error("outbox_corrupt", file=str(aside), error=str(error), carried_over=done.rows, named=done.named)
        self.generation += 1
        self.db = self._open()
        self._reserve.fill()

    def commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in a durable transaction, shared with whoever asks at the same time; returns its answer.

        Raises OutboxFull, sqlite3.Error; nothing was written then.
        """
        ask = _Ask(work)
        self._asks.append(ask)
        with self.lock:
            while not ask.done:
                self._commit_group()
        if ask.error is not None:
            raise ask.error
        return cast("T", ask.answer)

    def _commit_group(self) -> None:
        asks = [self._asks.popleft() for _ in range(min(GROUP, len(self._asks)))]
        try:
            self._together(asks)
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each is tried alone
            self._recovered(error)
            for ask in asks:
                self._alone(ask)
        for ask in asks:
            ask.done = True

    def _together(self, asks: Sequence[_Ask]) -> None:
        with self.write() as db:
            for ask in asks:
                ask.answer = ask.work(db)

    def _alone(self, ask: _Ask) -> None:
        try:
            self._together([ask])
        except Exception as error:  # noqa: BLE001 - handed to the caller
            ask.error = self._named(error)

    def _named(self, error: Exception) -> Exception:
        if not disk.full(error):
            return error
        self.full = True
        return OutboxFull(f"{self._path}: {error}; free room on this disk, then send again what was not kept")

    def _recovered(self, error: Exception) -> None:
        """Do what can be done before another try."""
        if disk.damaged(error):
            self._replace(error)
        elif disk.full(error):
            self.full = True
            self._shorten()

    def _shorten(self) -> None:
        """Give back the room of the write-ahead log."""
        with contextlib.suppress(sqlite3.Error):
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction; what fails leaves nothing behind."""
        with self.lock:
            try:
                with _transaction(self.db) as db:
                    yield db
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._opened(self.db)
                raise

    def freeing(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Do work that lets rows go: on a full disk it may use the room held back, which appends never do.

        Unless `durable`, a power cut may undo it as a whole, and it costs no wait for the disk.
        """
        with self.lock:
            if self.full:
                return self._squeezed(work, durable=durable)
            try:
                return self._freeing(work, durable=durable)
            except sqlite3.Error as error:
                self._recovered(error)
                again = self._squeezed if disk.full(error) else self._freeing
                return again(work, durable=durable)

    def _squeezed(self, work: Callable[[sqlite3.Connection], T], *, durable: bool) -> T:
        self._reserve.release()
        try:
            return self._freeing(work, durable=durable)
        finally:
            self._shorten()
            self._reserve.fill()

    def _freeing(self, work: Callable[[sqlite3.Connection], T], *, durable: bool) -> T:
        self.db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        try:
            with self.write() as db:
                return work(db)
        finally:
            self.db.execute("PRAGMA synchronous=FULL")

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Return a query's rows. Raises sqlite3.Error."""
        with self.lock:
            try:
                return self.db.execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                if not disk.damaged(error):
                    raise
                self._replace(error)
                return self.db.execute(sql, values).fetchall()

    def room_again(self) -> bool:
        """Tell whether a disk that was full has room again."""
        with self.lock:
            if self.full and self._reserve.fill() and disk.room(self._path) >= disk.ROOM_BYTES:
                self.full = False
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
