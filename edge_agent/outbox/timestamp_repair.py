"""Rows whose capture time is in doubt: finding them, putting them right, freezing them when they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.clock import Stamp, restamped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.outbox.outbox import Outbox

AT_ONCE = 2_000
"""Most rows put right in one go, so that the link is served in between."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """The rows of an outbox that boot `boot` kept while its clock was not synchronised."""

    outbox: Outbox
    boot: str

    def begin(self) -> None:
        """Accept the times of rows that an earlier boot kept: its clock cannot be asked any more."""

        def work(db: sqlite3.Connection) -> None:
            sql = """UPDATE rows SET doubtful = 0 WHERE doubtful = 1
                AND boot IS NOT (SELECT id FROM boots WHERE boot = ?)"""
            db.execute(sql, (self.boot,))

        self.outbox.file.freeing(work)

    def first(self) -> int | None:
        """Return the number of the oldest doubtful row, None when there is none."""
        found = self.outbox.file.read("SELECT n FROM rows WHERE doubtful = 1 ORDER BY n LIMIT 1")
        return int(found[0][0]) if found else None

    def freeze(self, numbers: Sequence[int]) -> None:
        """Fix the times of rows that are about to be sent. Raises sqlite3.Error."""
        marks = ",".join("?" * len(numbers))
        sql = f"UPDATE rows SET doubtful = 0 WHERE n IN ({marks})"  # noqa: S608
        self.outbox.file.freeing(lambda db: db.execute(sql, tuple(numbers)), durable=True)

    def doubt(self, numbers: Sequence[int]) -> None:
        """Doubt again the times of rows that the ingest says lie in the future; only this boot's can be put right."""
        marks = ",".join("?" * len(numbers))
        sql = f"""UPDATE rows SET doubtful = 1 WHERE n IN ({marks})
            AND boot = (SELECT id FROM boots WHERE boot = ?)"""  # noqa: S608
        self.outbox.file.freeing(lambda db: db.execute(sql, (*numbers, self.boot)))

    def put_right(self, offset: int) -> int:
        """Rewrite the times of the oldest doubtful rows, now that wall − monotonic is known; returns how many.

        Raises sqlite3.Error; nothing was rewritten then.
        """

        def work(db: sqlite3.Connection) -> int:
            sql = "SELECT n, body, mono, wall FROM rows WHERE doubtful = 1 ORDER BY n LIMIT ?"
            found = db.execute(sql, (AT_ONCE,)).fetchall()
            new = [(restamped(body, Stamp(wall, mono, self.boot), offset), n, mono) for n, body, mono, wall in found]
            sql = "UPDATE rows SET body = ?, size = ?, wall = ?, doubtful = 0 WHERE n = ?"
            db.executemany(sql, [(body, len(body), mono + offset, n) for body, n, mono in new])
            self.outbox.grown(sum(len(after[0]) - len(before[1]) for after, before in zip(new, found, strict=True)))
            return len(found)

        return self.outbox.file.freeing(work, durable=True)
