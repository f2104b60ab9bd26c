"""Rows whose capture time is in doubt: finding them, putting them right, freezing them when they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.clock import ClockStamp, repair_event_times

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.outbox.outbox import Outbox

REPAIR_BATCH_ROWS = 2_000
"""Most rows put right in one go, so that the link is served in between."""


@dataclass(frozen=True, slots=True)
class UnsureTimestamps:
    """The rows of an outbox that boot `boot` kept while its clock was not synchronised."""

    outbox: Outbox
    boot: str

    def accept_earlier_boots(self) -> None:
        """Accept the times of rows that an earlier boot kept: its clock cannot be asked any more."""

        def work(db: sqlite3.Connection) -> None:
            sql = """UPDATE rows SET doubtful = 0 WHERE doubtful = 1
                AND boot IS NOT (SELECT id FROM boots WHERE boot = ?)"""
            db.execute(sql, (self.boot,))

        self.outbox.file.commit_freeing(work)

    def first_unsure(self) -> int | None:
        """Return the number of the oldest doubtful row, None when there is none."""
        rows = self.outbox.file.query("SELECT n FROM rows WHERE doubtful = 1 ORDER BY n LIMIT 1")
        return int(rows[0][0]) if rows else None

    def finalise(self, numbers: Sequence[int]) -> None:
        """Fix the times of rows that are about to be sent. Raises sqlite3.Error."""
        placeholders = ",".join("?" * len(numbers))
        sql = f"UPDATE rows SET doubtful = 0 WHERE n IN ({placeholders})"  # noqa: S608
        self.outbox.file.commit_freeing(lambda db: db.execute(sql, tuple(numbers)), durable=True)

    def mark_unsure(self, numbers: Sequence[int]) -> None:
        """Doubt again the times of rows that the ingest says lie in the future; only this boot's can be put right."""
        placeholders = ",".join("?" * len(numbers))
        sql = f"""UPDATE rows SET doubtful = 1 WHERE n IN ({placeholders})
            AND boot = (SELECT id FROM boots WHERE boot = ?)"""  # noqa: S608
        self.outbox.file.commit_freeing(lambda db: db.execute(sql, (*numbers, self.boot)))

    def repair(self, offset: int) -> int:
        """Rewrite the times of the oldest doubtful rows, now that wall − monotonic is known; returns how many.

        Raises sqlite3.Error; nothing was rewritten then.
        """

        def work(db: sqlite3.Connection) -> int:
            sql = "SELECT n, body, mono, wall FROM rows WHERE doubtful = 1 ORDER BY n LIMIT ?"
            rows = db.execute(sql, (REPAIR_BATCH_ROWS,)).fetchall()
            repaired = [
                (repair_event_times(body, ClockStamp(wall, mono, self.boot), offset), n, mono)
                for n, body, mono, wall in rows
            ]
            sql = "UPDATE rows SET body = ?, size = ?, wall = ?, doubtful = 0 WHERE n = ?"
            db.executemany(sql, [(body, len(body), mono + offset, n) for body, n, mono in repaired])
            self.outbox.add_size(
                sum(len(after[0]) - len(before[1]) for after, before in zip(repaired, rows, strict=True))
            )
            return len(rows)

        return self.outbox.file.commit_freeing(work, durable=True)
