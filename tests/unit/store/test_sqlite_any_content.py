"""A SQLite store with values that no version wrote: they are left out and named, the others are read as ever."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window
from telemetry.core.protocol import events as ev
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, DeadLetter, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.unit.rollup.test_rollup import START, world

if TYPE_CHECKING:
    from pathlib import Path

NOW = START + HOUR + 10 * MINUTE


class Spoiled:
    """A store whose file a test changes behind its back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self.store = SqliteStore(self.path)

    def execute(self, sql: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(sql, values)


@pytest.fixture
def spoiled(tmp_path: Path) -> Spoiled:
    return Spoiled(tmp_path)


@pytest.mark.parametrize("rows", ["ế\x00", b"\xff", 1.5, 1e300])
def test_a_count_of_dead_letters_that_is_none_is_left_out_and_the_others_are_read(
    spoiled: Spoiled, rows: object
) -> None:
    letters = [DeadLetter(NOW, "c1-kiosk1", reason, 3) for reason in ("future", "malformed")]
    spoiled.store.append(Batch(NOW * 1000, dead_letters=letters))
    spoiled.execute("UPDATE dead_count SET rows = ? WHERE reason = 'future'", rows)
    assert spoiled.store.dead_letter_counts() == {"malformed": 3}
    assert spoiled.store.unreadable.counts() == {"": 1}


@pytest.mark.parametrize("version", [b"\xff", "x", 1.5, 1e300, (1 << 63) - 1])
def test_a_live_row_with_a_version_that_is_none_hides_no_later_one(spoiled: Spoiled, version: object) -> None:
    spoiled.store.put_live_rows({"c1": b"{}", "c2": b"{}"})
    spoiled.execute("UPDATE live SET version = ? WHERE unit = 'c1'", version)
    assert [(row.entity, row.version) for row in spoiled.store.live_rows()] == [("c2", 1)]
    assert spoiled.store.unreadable.counts() == {"c1": 1}
    spoiled.store.put_live_rows({"c3": b"{}"})
    assert [(row.entity, row.version) for row in spoiled.store.live_rows(after=1)] == [("c3", 2)]
    spoiled.store.put_live_rows({"c1": b"{}"})
    assert [(row.entity, row.version) for row in spoiled.store.live_rows(after=2)] == [("c1", 3)], "written again"


@pytest.mark.parametrize("t", [1e300, -1, (1 << 63) - 1, "x", b"\xff"])
def test_everything_else_is_folded_again_beside_an_event_of_no_time(spoiled: Spoiled, t: object) -> None:
    issued = [ev.TicketIssued(n=n, t=NOW - n * MINUTE, ticket=f"k{n}", queue="q", service="land") for n in (1, 2)]
    spoiled.store.append(Batch(NOW * 1000, [StoredEvent("c1", "c1-kiosk1", "01S", event) for event in issued]))
    spoiled.execute("UPDATE raw SET t = ? WHERE n = 1", t)
    assert spoiled.store.days_with_events() == {"c1": [Window(START, START + DAY)]}
    Rollup(spoiled.store, world, lambda: NOW).rebuild()
    totals = spoiled.store.totals(["c1"], "1d", Window(0, NOW + DAY), "desk")
    assert [total.sums["issued"] for total in totals] == [1]
