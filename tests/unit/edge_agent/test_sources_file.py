"""The file source: every whole line once, through restart, rotation and truncation."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from edge_agent.sources.file import FileSource
from edge_agent.sources.state import DeviceState
from edge_agent.sources.tail import MAX_CHUNK_BYTES, FileTail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.outbox import Outbox


def line(t: int) -> str:
    return json.dumps({"type": "payment.result", "t": t, "outcome": "ok"}) + "\n"


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


class Reader:
    """A source that a test drives; `restart` is a new process with the same outbox."""

    def __init__(self, path: Path, outbox: Outbox) -> None:
        self.outbox = outbox
        self.source = FileSource(path, DeviceState())
        self.tail = FileTail(path, outbox.cursor("file"))

    def restart(self) -> None:
        self.tail.close()
        self.tail = FileTail(self.source.path, self.outbox.cursor("file"))

    def read(self) -> list[int]:
        """Read all there is; returns the times of all events in the outbox."""
        while self.source.read_once(self.tail, self.outbox):
            pass
        bodies = [json.loads(row.body) for row in self.outbox.rows_after(0, 100_000)]
        return [body["t"] for body in bodies if body["type"] != "agent.alarm"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def reader(path: Path, outbox: Outbox) -> Iterator[Reader]:
    one = Reader(path, outbox)
    yield one
    one.tail.close()


def test_a_missing_file_is_waited_for(path: Path, reader: Reader) -> None:
    assert reader.read() == []
    write(path, line(1))
    assert reader.read() == [1]


def test_a_line_counts_when_it_is_whole(path: Path, reader: Reader) -> None:
    write(path, line(1) + line(2)[:20])
    assert reader.read() == [1]
    write(path, line(2)[20:])
    assert reader.read() == [1, 2]


def test_a_restart_goes_on_behind_the_last_commit(path: Path, reader: Reader, outbox: Outbox) -> None:
    write(path, line(1) + line(2))
    reader.read()
    assert outbox.cursor("file").startswith(f"{path.stat().st_ino}:{path.stat().st_size}:")
    write(path, line(3))
    reader.restart()
    assert reader.read() == [1, 2, 3]


def test_a_rotated_file_is_finished_before_the_new_one(path: Path, reader: Reader) -> None:
    write(path, line(1))
    reader.read()
    old = path.rename(path.with_name("events.jsonl.1"))
    write(old, line(2) + line(3).rstrip())
    assert reader.read() == [1, 2]
    write(path, line(4))
    assert reader.read() == [1, 2, 3, 4]


def test_a_rotated_and_deleted_file_is_finished_through_its_open_handle(path: Path, reader: Reader) -> None:
    write(path, line(1))
    reader.read()
    write(path, line(2))
    path.unlink()
    write(path, line(3))
    assert reader.read() == [1, 2, 3]


def test_a_file_rotated_while_the_agent_was_down_is_found_by_its_inode(path: Path, reader: Reader) -> None:
    write(path, line(1))
    reader.read()
    reader.tail.close()
    write(path, line(2))
    path.rename(path.with_name("events.jsonl.1"))
    write(path, line(3))
    reader.restart()
    assert reader.read() == [1, 2, 3]


@pytest.mark.parametrize("restarted", [True, False])
def test_a_truncated_file_is_read_from_its_start(path: Path, reader: Reader, restarted: bool) -> None:
    write(path, line(1) + line(2))
    reader.read()
    path.write_text(line(3))
    if restarted:
        reader.restart()
    assert reader.read() == [1, 2, 3]


BAD = [
    "no json",
    "[]",
    '{"type":"payment.result","t":1,"outcome":"ok","n":7}',
    '{"type":"payment.result","t":1,"outcome":"ok","citizen":"Nguyen"}',
    '{"type":"device.contact","t":1}',
    '{"type":"ticket.issued","t":1,"ticket":"079123456789","queue":"q","service":"s"}',
    "[" * 5_000,
    "\xff\x00",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_line_is_counted_skipped_and_never_logged(
    bad: str, path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    write(path, line(1) + bad + "\n" + line(2))
    assert reader.read() == [1, 2]
    assert reader.source.skipped_lines == 1
    assert "bad_lines_skipped" in caplog.text
    assert bad not in caplog.text


def test_a_line_longer_than_any_event_does_not_stop_the_file(path: Path, reader: Reader) -> None:
    write(path, line(1) + "x" * (2 * MAX_CHUNK_BYTES + 5) + "\n" + line(2))
    assert reader.read() == [1, 2]
    assert reader.source.skipped_lines >= 1


def test_heartbeats_learn_what_the_file_says_of_the_device(path: Path, reader: Reader) -> None:
    write(path, '{"type":"kiosk.state","t":1,"state":"out_of_order","printer":"paper_out"}\n')
    reader.read()
    assert (reader.source.state.service, reader.source.state.printer) == ("out_of_order", "paper_out")


def test_run_follows_until_stopped(path: Path, outbox: Outbox) -> None:
    stop, seen = threading.Event(), threading.Event()
    outbox.on_appended = seen.set
    source = FileSource(path, DeviceState(), poll_s=0.01)
    thread = threading.Thread(target=source.run, args=(outbox, stop))
    thread.start()
    write(path, line(1))
    assert seen.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert outbox.pending_count() == 1


def test_a_time_in_another_unit_is_skipped_named_with_its_unit_and_raises_an_alarm(
    path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    now = 1_767_225_600_000
    alarms: list[tuple[str, str]] = []
    reader.source.clock = lambda: now
    reader.source.raise_alarm = lambda alarm, name: alarms.append((alarm, name))
    write(path, line(now) + line(now // 1_000) + line(now * 1_000) + line(now * 10**6) + line(now - 5) + line(7))
    assert reader.read() == [now, now - 5, 7]
    logged = [getattr(record, "fields", {}) for record in caplog.records]
    units = [fields["unit"] for fields in logged if "unit" in fields]
    assert (units, reader.source.skipped_lines) == (["seconds", "microseconds", "nanoseconds"], 3)
    assert alarms == [("events_skipped", "file")]
