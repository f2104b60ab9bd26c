"""The outbox in hard times: an older file, a damaged one, a full disk, many callers at once."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from edge_agent.clock import ClockStamp
from edge_agent.outbox import Outbox, OutboxFull, PostKey
from edge_agent.outbox.disk import DiskReserve
from edge_agent.outbox.salvage import NUMBER_GAP
from edge_agent.outbox.schema import MIGRATIONS, SCHEMA_VERSION
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    from pathlib import Path

T = 1_767_225_600_000
STAMP = ClockStamp(T + 9, 40_000, "boot1", time_unsure=True)


def issued(name: str = "k") -> ev.TicketIssued:
    return ev.TicketIssued(n=1, t=T, ticket=name, queue="q", service="s")


def opened(folder: Path, spool: str = "spool1") -> Outbox:
    return Outbox(folder / "outbox.db", lambda: spool, stamp=lambda: STAMP)


def events(box: Outbox) -> list[ev.Event]:
    return [codec.decode_event(row.body) for row in box.rows_after(0, 100_000)]


def alarms(box: Outbox) -> list[tuple[str, str | None]]:
    return [(e.alarm, e.subject) for e in events(box) if isinstance(e, ev.AgentAlarm)]


def numbers(box: Outbox, kind: type[ev.Event]) -> list[int]:
    return [e.n for e in events(box) if isinstance(e, kind)]


# --- an older file ----------------------------------------------------------------------------


def test_of_a_damaged_file_of_an_earlier_version_the_keys_go_on_too(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    box = opened(tmp_path)
    box.append([issued(f"k{i}") for i in range(3_000)])
    box.append_idempotent([issued()], PostKey("key"), T)
    box.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE posted DROP COLUMN digest")
        db.execute("PRAGMA user_version=2")
    db.close()
    spoil(path, "rows", 10)
    assert opened(tmp_path).append_idempotent([issued()], PostKey("key"), T).repeated


def test_a_file_of_version_1_is_brought_forward_with_all_it_holds(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "outbox.db")
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    db.execute("INSERT INTO meta VALUES ('old')")
    for n in range(1, 6):
        body = codec.encode_event(ev.TicketIssued(n=n, t=T, ticket=f"k{n}", queue="q", service="s"))
        db.execute("INSERT INTO rows VALUES (?, 1, ?, ?)", (n, len(body), body))
    db.execute("DELETE FROM rows WHERE n IN (1, 5)")
    db.execute("INSERT INTO cursor VALUES ('file', '7:9')")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()
    box = opened(tmp_path)
    assert (box.outbox_id, box.highest_n, box.pending_count(), box.cursor("file")) == ("old", 5, 3, "7:9")
    assert box.append([issued()]) == (6, 6)
    assert box.file.query("SELECT n, mono, wall, doubtful FROM rows WHERE n > 3") == [
        (4, None, None, 0),
        (6, 40_000, T + 9, 1),
    ]
    assert box.file.query("PRAGMA user_version") == [(SCHEMA_VERSION,)]


# --- many callers -----------------------------------------------------------------------------


def test_callers_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    box, commits = opened(tmp_path), list[str]()
    threads = [threading.Thread(target=box.append, args=([issued(f"k{i}")],)) for i in range(20)]
    box.file.db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    with box.file.lock:
        for thread in threads:
            thread.start()
        while len(box.file._requests) < 20:
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert numbers(box, ev.TicketIssued) == list(range(1, 21))
    assert len(commits) == 1


def test_one_callers_fault_is_its_own(tmp_path: Path) -> None:
    box, faults = opened(tmp_path), list[Exception]()

    def bad() -> None:
        try:
            box.append([issued()], source="s", cursor=object())  # type: ignore[arg-type]
        except sqlite3.Error as error:
            faults.append(error)

    threads = [threading.Thread(target=bad), *(threading.Thread(target=box.append, args=([issued()],)) for _ in "abc")]
    with box.file.lock:
        for thread in threads:
            thread.start()
        while len(box.file._requests) < 4:
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert len(faults) == 1
    assert (numbers(box, ev.TicketIssued), box.highest_n, box.pending_count()) == ([1, 2, 3], 3, 3)


# --- a damaged file ---------------------------------------------------------------------------


def test_what_is_no_database_is_moved_aside_and_the_outbox_begins_afresh(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all" * 500)
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, alarms(box)) == ("spool2", [("outbox_corrupt", "rows-left-behind")])
    assert (tmp_path / f"outbox.db.corrupt-{STAMP.wall}").read_bytes().startswith(b"not a database")
    assert box.append([issued()]) == (2, 2)
    box.close()
    assert opened(tmp_path).outbox_id == "spool2"


def filled(folder: Path, rows: int = 3_000) -> Outbox:
    box = opened(folder)
    box.append([issued(f"k{i}") for i in range(rows)], source="file", cursor="7:9")
    box.append_idempotent([issued("posted")], PostKey("key"), T)
    box.delete_receipted([(1, 10)])
    return box


def spoil(path: Path, table: str, which: int) -> None:
    """Overwrite one leaf page of a table."""
    db = sqlite3.connect(path)
    root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    content = bytearray(path.read_bytes())
    page = content[(root - 1) * size : root * size]
    if page[0] == 5:  # an interior page: take the child
        cell = int.from_bytes(page[12 + 2 * which : 14 + 2 * which])
        root = int.from_bytes(page[cell : cell + 4])
    content[(root - 1) * size : root * size] = b"\xff" * size
    path.write_bytes(content)


def test_of_a_damaged_file_the_readable_rows_go_on_under_their_old_names(tmp_path: Path) -> None:
    box = filled(tmp_path)
    before = {row.n: row.body for row in box.rows_after(0, 9_999)}
    box.close()
    spoil(tmp_path / "outbox.db", "rows", 10)
    box = opened(tmp_path, "spool2")
    with_damage = box.rows_after(0, 9_999)
    after = {row.n: row.body for row in with_damage if row.n <= 3_001}
    (drop,) = [e for e in events(box) if isinstance(e, ev.OutboxDropped)]
    missing = {n for low, high in drop.ranges for n in range(low, high + 1)}
    assert box.outbox_id == "spool1"
    assert after.items() < before.items()
    assert len(after) > 2_800
    assert before.keys() - after.keys() <= missing
    assert not after.keys() & missing
    assert missing >= set(range(3_002, 3_002 + NUMBER_GAP))
    assert alarms(box) == [("outbox_corrupt", "rows-carried-over")]
    assert (box.cursor("file"), box.append_idempotent([issued()], PostKey("key"), T).repeated) == ("7:9", True)
    assert box.append([issued()])[0] > 3_001 + NUMBER_GAP
    assert box.pending_count() == len(box.rows_after(0, 9_999))
    assert box.size_bytes == sum(len(row.body) for row in box.rows_after(0, 9_999))


def test_damage_that_shows_while_running_is_repaired_and_the_append_goes_through(tmp_path: Path) -> None:
    box = filled(tmp_path)
    box.close()
    spoil(tmp_path / "outbox.db", "cursor", 0)
    box = opened(tmp_path, "spool2")
    first, last = box.append([issued("late")], source="file", cursor="8:1")
    assert (box.outbox_id, box.cursor("file"), box.file.generation) == ("spool1", "8:1", 1)
    assert first == last > 3_001 + NUMBER_GAP
    assert len([e for e in events(box) if isinstance(e, ev.TicketIssued)]) == 3_001 - 10 + 1
    assert (tmp_path / f"outbox.db.corrupt-{STAMP.wall}").exists()


def test_rows_whose_last_number_is_unknown_stay_in_the_old_file(tmp_path: Path) -> None:
    filled(tmp_path).close()
    spoil(tmp_path / "outbox.db", "sqlite_sequence", 0)
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, alarms(box)) == ("spool2", [("outbox_corrupt", "rows-left-behind")])
    assert box.cursor("file") == "7:9"


DAMAGED_IDS = [None, b"\xff\xfe", 7, 1.5, "", "spool 1", "spo\x00ol1", "x" * 65, "spool3"]


def set_outbox_id(path: Path, *ids: object, copy: object = None) -> None:
    db = sqlite3.connect(path)
    sql = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'meta'").fetchone()[0]
    db.execute("DROP TABLE meta")
    db.execute(sql.replace(" TEXT NOT NULL", ""))  # the file's content obeys no declaration once it is damaged
    db.executemany("INSERT INTO meta VALUES (?)", [(one,) for one in ids])
    if copy is not None:
        db.execute("UPDATE cursor SET value = ? WHERE source = 'outbox:id'", (copy,))
    db.commit()
    db.close()


@pytest.mark.parametrize("damaged", [*([bad] for bad in DAMAGED_IDS), [], ["spool1", "spool3"]])
def test_a_damaged_id_is_restored_from_its_copy_with_an_alarm(damaged: list[object], tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    set_outbox_id(tmp_path / "outbox.db", *damaged)
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, alarms(box)) == ("spool1", [("outbox_corrupt", "outbox-id")])
    assert (numbers(box, ev.TicketIssued), box.pending_count()) == ([*range(11, 22)], 12)
    assert (box.cursor("file"), box.append([issued()])) == ("7:9", (23, 23))
    box.close()
    again = opened(tmp_path, "spool2")
    assert (again.outbox_id, len(alarms(again))) == ("spool1", 1)


@pytest.mark.parametrize("copy", ["", "spool1", "spool3 00000000", b"\xff"])
def test_a_damaged_copy_of_the_id_is_written_again_with_an_alarm(copy: object, tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    set_outbox_id(tmp_path / "outbox.db", "spool1", copy=copy)
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, box.pending_count(), alarms(box)) == ("spool1", 12, [("outbox_corrupt", "outbox-id")])
    box.close()
    set_outbox_id(tmp_path / "outbox.db", None)
    assert opened(tmp_path, "spool2").outbox_id == "spool1"


@pytest.mark.parametrize("damaged", [*([bad] for bad in DAMAGED_IDS[:-1]), [], ["spool1", "spool3"]])
def test_without_id_and_copy_the_rows_stay_in_the_old_file_with_an_alarm(damaged: list[object], tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    set_outbox_id(tmp_path / "outbox.db", *damaged, copy="")
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, alarms(box)) == ("spool2", [("outbox_corrupt", "rows-left-behind")])
    with sqlite3.connect(tmp_path / f"outbox.db.corrupt-{STAMP.wall}") as old:
        assert old.execute("SELECT count(*) FROM rows").fetchone() == (11,)
    old.close()
    box.close()
    assert opened(tmp_path, "spool3").outbox_id == "spool2"


def test_a_file_of_an_earlier_version_gets_a_copy_of_its_id_without_an_alarm(tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    with sqlite3.connect(tmp_path / "outbox.db") as db:
        db.execute("DELETE FROM cursor WHERE source = 'outbox:id'")
    db.close()
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, alarms(box)) == ("spool1", [])
    box.close()
    set_outbox_id(tmp_path / "outbox.db", None)
    assert opened(tmp_path, "spool2").outbox_id == "spool1"


@pytest.mark.parametrize("table", ["meta", "rows", "cursor", "posted", "refused", "boots", "sqlite_sequence", "lane"])
def test_whatever_is_damaged_the_outbox_opens_and_takes_rows_and_opens_again(table: str, tmp_path: Path) -> None:
    filled(tmp_path).close()
    spoil(tmp_path / "outbox.db", table, 0)
    box = opened(tmp_path, "spool2")
    box.rows_after(0, 9_999)
    box.append_idempotent([issued()], PostKey("new"), T)
    first, _ = box.append([issued()], source="x", cursor="1")
    box.move_to_refused([(first, "malformed")], T)
    box.close()
    again = opened(tmp_path, "spool3")
    assert again.cursor("x") == "1"
    assert again.outbox_id != "spool3"


def test_a_receipt_for_rows_that_were_left_behind_takes_no_row_of_the_new_spool(tmp_path: Path) -> None:
    box = filled(tmp_path)
    box.close()
    spoil(tmp_path / "outbox.db", "rows", 0)
    spoil(tmp_path / "outbox.db", "sqlite_sequence", 0)
    path = tmp_path / "outbox.db"
    whole = path.read_bytes()
    path.unlink()
    box = opened(tmp_path, "spool1")
    box.append([issued(), issued()])
    box.file.db.close()
    path.with_name("outbox.db-wal").unlink(missing_ok=True)
    path.write_bytes(whole)
    box.file._new_outbox_id = lambda: "spool2"
    box.file.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    box.delete_receipted([(1, 20)])
    assert (box.outbox_id, alarms(box)) == ("spool2", [("outbox_corrupt", "rows-left-behind")])


@pytest.mark.parametrize("done", [0, 1])
def test_a_power_cut_during_the_repair_leaves_one_whole_file(done: int, tmp_path: Path) -> None:
    filled(tmp_path).close()
    path = tmp_path / "outbox.db"
    path.with_name("outbox.db.fresh").write_bytes(path.read_bytes())
    if done:
        path.unlink()
    box = opened(tmp_path, "spool2")
    assert (box.outbox_id, box.pending_count()) == ("spool1", 2_991)
    assert not path.with_name("outbox.db.fresh").exists()


def test_rows_that_cannot_be_carried_over_stay_behind_rather_than_stop_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path).close()
    spoil(tmp_path / "outbox.db", "rows", 0)

    def no_room(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("edge_agent.outbox.salvage._copy_readable", no_room)
    box = opened(tmp_path, "spool2")
    box.rows_after(0, 9_999)
    assert (box.outbox_id, alarms(box)) == ("spool2", [("outbox_corrupt", "rows-left-behind")])


# --- a full disk ------------------------------------------------------------------------------


def test_a_full_disk_is_said_clearly_and_room_is_noticed(tmp_path: Path) -> None:
    box = opened(tmp_path)
    box.append([issued()])
    box.file.db.execute("PRAGMA max_page_count=1")
    with pytest.raises(OutboxFull, match="free space on this disk"):
        box.append([issued(f"k{i}") for i in range(2_000)])
    assert (box.pending_count(), box.file.is_disk_full) == (1, True)
    box.delete_receipted([(1, 1)])
    box.file.db.execute("PRAGMA max_page_count=1000000")
    assert box.append([issued()]) == (2, 2)
    assert box.file.disk_recovered()
    assert not box.file.disk_recovered()


def test_room_is_held_back_given_up_and_taken_again(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "r", 100_000)
    assert reserve.fill()
    assert (tmp_path / "r").stat().st_blocks * 512 >= 100_000
    reserve.release()
    assert not (tmp_path / "r").exists()
    assert reserve.fill()


def test_without_a_reserve_no_file_is_made(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "r", 0)
    assert reserve.fill()
    reserve.release()
    assert list(tmp_path.iterdir()) == []
