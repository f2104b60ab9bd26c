"""Rows with unsure capture times: finds them, repairs them, and finalises them when they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.clock import ClockStamp, repair_event_times

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.outbox.outbox import Outbox

REPAIR_BATCH_ROWS = 2_000
"""Most rows repaired at once, so that the link is served in between."""


@dataclass(frozen=True, slots=True)
class UnsureTimestamps:
    """The rows of an outbox that boot `boot` appended while its clock was not synchronised."""

    outbox: Outbox
    boot: str

    def accept_earlier_boots(self) -> None:
        """Accept the times of rows from an earlier boot: its clock can no longer be compared."""

        def work(db: sqlite3.Connection) -> None:
            sql = """UPDATE rows SET doubtful = 0 WHERE doubtful = 1
                AND boot IS NOT (SELECT id FROM boots WHERE boot = ?)"""
            db.execute(sql, (self.boot,))

        self.outbox.file.commit_freeing(work)

    def first_unsure(self) -> int | None:
        """Return the number of the oldest row with an unsure time, None when there is none."""
        rows = self.outbox.file.query("SELECT n FROM rows WHERE doubtful = 1 ORDER BY n LIMIT 1")
        return int(rows[0][0]) if rows else None

    def finalise(self, numbers: Sequence[int]) -> None:
        """Finalise the times of rows that are about to be sent. Raises sqlite3.Error."""
        placeholders = ",".join("?" * len(numbers))
        sql = f"UPDATE rows SET doubtful = 0 WHERE n IN ({placeholders})"  # noqa: S608
        self.outbox.file.commit_freeing(lambda db: db.execute(sql, tuple(numbers)), durable=True)

    def mark_unsure(self, numbers: Sequence[int]) -> None:
        """Mark rows that ingest reported as in the future as unsure again; only this boot's can be repaired."""
        placeholders = ",".join("?" * len(numbers))
        sql = f"""UPDATE rows SET doubtful = 1 WHERE n IN ({placeholders})
            AND boot = (SELECT id FROM boots WHERE boot = ?)"""  # noqa: S608
        self.outbox.file.commit_freeing(lambda db: db.execute(sql, (*numbers, self.boot)))

    def repair(self, offset: int) -> int:
        """Rewrite the times of the oldest unsure rows, now that wall − monotonic is known; returns how many.

        Raises sqlite3.Error; nothing was rewritten then.
        """

        def work(db: sqlite3.Connection) -> int:
            sql = "SELECT n, body, mono, wall FROM rows WHERE doubtful = 1 ORDER BY n LIMIT ?"
            rows = db.execute(sql, (REPAIR_BATCH_ROWS,)).fetchall()
            readable = [row for row in rows if _is_row(*row[1:])]
            repaired = [
                (repair_event_times(body, ClockStamp(wall, mono, self.boot), offset), n, mono)
                for n, body, mono, wall in readable
            ]
            sql = "UPDATE rows SET body = ?, size = ?, wall = ?, doubtful = 0 WHERE n = ?"
            db.executemany(sql, [(body, len(body), mono + offset, n) for body, n, mono in repaired])
            self.outbox.add_size(sum(len(new[0]) - len(old[1]) for new, old in zip(repaired, readable, strict=True)))
            unreadable = [(row[0],) for row in rows if not _is_row(*row[1:])]
            db.executemany("UPDATE rows SET doubtful = 0 WHERE n = ?", unreadable)
            return len(rows)

        return self.outbox.file.commit_freeing(work, durable=True)


def _is_row(body: object, mono: object, wall: object) -> bool:
    """Return whether a row's times can be repaired; one that a power cut changed is set aside when it is sent."""
    return isinstance(body, bytes) and isinstance(mono, int) and isinstance(wall, int)
