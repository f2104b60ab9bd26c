"""Garbage in any column of any table of the SQLite store: no role ends, no answer is a 5xx, the others are folded."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import Window
from telemetry.store import WAIT_MODELS_CHECKPOINT, wait_model_name
from telemetry.store.sqlite import SqliteStore
from tests.poisoned_network import MAIN_PATHS, PATHS, A, B, PoisonedNetwork
from tests.property_sizes import LONG

if TYPE_CHECKING:
    from pathlib import Path

GARBAGE: dict[str, object] = {
    "bytes": b"\x00\xff{",
    "a negative number": -7,
    "a huge number": (1 << 63) - 1,
    "1e300": 1e300,
}
TABLES = {
    "name": ("id", "text"), "raw": ("device", "spool", "n", "unit", "centre", "t", "type", "body"),
    "change": ("unit", "start", "end", "written_at"), "row_range": ("device", "spool", "outcome", "low", "high"),
    "total": ("unit", "width", "start", "scope", "province", "sums"), "live": ("unit", "version", "body"),
    "dead": ("at", "device", "reason", "rows", "size"), "dead_count": ("reason", "rows"), "meta": ("key", "value"),
    "document": ("name", "body"),
}  # fmt: skip
KEYS = {
    "raw": "device, spool, n", "row_range": "device, spool, outcome, low", "live": "unit", "dead_count": "reason",
    "total": "unit, width, start, scope", "meta": "key",
    "document": "name",
}  # fmt: skip
COLUMNS = [(table, column) for table, columns in TABLES.items() for column in columns]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A store that a rollup has filled, and that nobody has open; and the time at which it was."""
    path: Path = tmp_path_factory.mktemp("poison") / "store.db"
    store = SqliteStore(path)
    network = PoisonedNetwork(store)
    network.fill()
    store.put_document(wait_model_name(A), b"[]")
    store.set_checkpoint(WAIT_MODELS_CHECKPOINT, network.now)
    store.close()
    return path, network.now


def test_the_tables_are_those_of_the_store(filled: tuple[Path, int]) -> None:
    with closing(sqlite3.connect(filled[0])) as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        columns = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in names}
    del columns["sqlite_sequence"]
    assert {name: found - {"id"} if name != "name" else found for name, found in columns.items()} == {
        name: set(fuzzed) for name, fuzzed in TABLES.items()
    }


def _corrupt(path: Path, table: str, column: str, value: object) -> bool:
    """Replace a column of a table's first row; returns whether the column takes the value."""
    key = KEYS.get(table, "rowid")
    of_centre = f"WHERE unit = '{A}'" if table == "live" else ""
    first_row = f'({key}) = (SELECT {key} FROM "{table}" {of_centre} LIMIT 1)'
    with closing(sqlite3.connect(path)) as db:
        try:
            changed = db.execute(f'UPDATE OR REPLACE "{table}" SET "{column}" = ? WHERE {first_row}', [value]).rowcount
        except sqlite3.IntegrityError:
            return False
        db.commit()
    assert changed == 1
    return True


@pytest.mark.sized
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column}" for table, column in COLUMNS])
def test_garbage_in_one_row_stops_neither_a_role_nor_the_other_centre(
    filled: tuple[Path, int], tmp_path: Path, table: str, column: str
) -> None:
    taken = 0
    for name, value in GARBAGE.items() if LONG else list(GARBAGE.items())[:1]:
        path = tmp_path / f"{name}.db"
        shutil.copy(filled[0], path)
        if not _corrupt(path, table, column, value):
            continue
        taken += 1
        with closing(SqliteStore(path)) as store:
            network = PoisonedNetwork(store, filled[1])
            assert network.failed_paths(MAIN_PATHS) == [], f"before rollup corrects it: {name}"
            network.pass_after_restart(10)
            assert network.failed_paths(PATHS if LONG else MAIN_PATHS) == [], name
    assert taken or column == "id", "no garbage was tried"


WILD_ROWS = {
    "a time beyond the calendar": '{"centre":"vn83-a","at":4503599627370496,"state":"up"}',
    "a time of 20 digits": '{"centre":"vn83-a","at":10000000000000000000,"state":"up"}',
    "a histogram that is none": '{"centre":"vn83-a","at":1,"state":"up","services":[{"service":"land","waiting":1,'
    '"serving":0,"today":{"wait_histogram":"@@"}}]}',
    "a histogram that would take all memory": '{"centre":"vn83-a","at":1,"state":"up","services":[{"service":"land",'
    '"waiting":1,"serving":0,"today":{"wait_histogram":"!zzzzzzz0"}}]}',
    "a sum that is a text": '{"centre":"vn83-a","at":1,"state":"up","services":[{"service":"land","waiting":1,'
    '"serving":0,"today":{"issued":"7"}}]}',
    "an objective's state of another version": '{"slo":"open","at":1,"settled_until":1,"scopes":[{"scope":'
    '"centre:vn83-a","start":1,"end":2,"good":1,"bad":1,"standing":"splendid"}]}',
    "an objective's time beyond the calendar": '{"slo":"open","at":4503599627370496,"settled_until":1}',
    "a contact that is nested without end": '{"entity":"vn83-a","x":' + "[" * 100_000,
    "a fault that is nested without end": '{"entity":"vn83-a","since":1,"x":' + "[" * 100_000,
    "an objective that is nested without end": '{"slo":"open","x":' + "[" * 100_000,
    "a contact beyond the calendar": '{"entity":"vn83-a","first":{"vn83-a-kiosk1":4503599627370496}}',
    "a fault beyond the calendar": '{"entity":"vn83-a","at":1,"since":4503599627370496}',
}


@pytest.mark.parametrize("body", WILD_ROWS.values(), ids=WILD_ROWS.keys())
def test_a_live_row_with_values_beyond_their_ranges_is_left_out(
    filled: tuple[Path, int], tmp_path: Path, body: str
) -> None:
    shutil.copy(filled[0], tmp_path / "store.db")
    prefix = {"centre": "", "slo": "slo:"}.get(body[2 : body.index('":')], "fault:" if "since" in body else "contacts:")
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        network = PoisonedNetwork(store, filled[1])
        store.put_live_rows({f"{prefix}{'open' if prefix == 'slo:' else A}": body.encode()})
        assert network.failed_paths() == []
        if not prefix:
            assert network.condition(A)[1][0] == "data_unreadable"
        network.pass_after_restart(10)
        assert network.failed_paths(MAIN_PATHS) == []


def test_a_total_that_cannot_be_read_makes_its_centre_unknown_in_the_api(
    filled: tuple[Path, int], tmp_path: Path
) -> None:
    shutil.copy(filled[0], tmp_path / "store.db")
    assert _corrupt(tmp_path / "store.db", "total", "sums", b"\x00")
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        network = PoisonedNetwork(store, filled[1])
        client = network.new_client()
        for width in ("5m", "1h", "1d"):
            store.totals([A, B], width, Window(0, 1 << 45))
        (broken,) = store.unreadable.counts()
        network.now += 2_000
        found = client.get(f"/api/v1/centres/{broken}").json()["data"]
        assert (found["condition"], found["reasons"][0]["code"]) == ("unknown", "data_unreadable")
