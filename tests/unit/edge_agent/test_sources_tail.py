"""The file source where others lose or double lines: late ends, quick rotations, truncation, kill -9."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import Outbox
from edge_agent.sources.file import FileSource
from edge_agent.sources.file_position import parse_position
from edge_agent.sources.state import DeviceState
from edge_agent.sources.tail import MAX_CHUNK_BYTES, QUIET_AFTER_S, FileTail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def line(t: int) -> str:
    return json.dumps({"type": "payment.result", "t": t, "outcome": "ok"}) + "\n"


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


class Reader:
    """The source over its outbox; `restart` is a new process."""

    def __init__(self, path: Path, outbox: Outbox) -> None:
        self.outbox, self.source = outbox, FileSource(path, DeviceState())
        self.tail = FileTail(path, "")

    def restart(self) -> None:
        self.tail.close()
        self.tail = FileTail(self.source.path, self.outbox.cursor("file"))

    def once(self) -> bool:
        return self.source.read_once(self.tail, self.outbox)

    def read(self) -> list[int]:
        while self.once():
            pass
        bodies = [json.loads(row.body) for row in self.outbox.rows_after(0, 100_000)]
        return [body["t"] for body in bodies if body["type"] != "agent.alarm"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def reader(path: Path, tmp_path: Path) -> Iterator[Reader]:
    box = Outbox(tmp_path / "o.db", lambda: "s")
    one = Reader(path, box)
    yield one
    one.tail.close()
    box.close()


def rotate(path: Path, suffix: str = ".1") -> Path:
    return path.rename(path.with_name(path.name + suffix))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_line_finished_after_the_new_file_was_begun_is_read(path: Path, reader: Reader, restarted: bool) -> None:
    write(path, line(1))
    reader.read()
    write(path, line(2)[:15])
    old = rotate(path)
    write(path, line(3))
    assert reader.read() == [1, 3]
    if restarted:
        reader.restart()
        assert reader.read() == [1, 3]
    write(old, line(2)[15:] + line(4))
    write(path, line(5))
    assert sorted(reader.read()) == [1, 2, 3, 4, 5]
    assert reader.source.skipped_lines == 0


def test_a_rotated_file_is_left_when_it_has_long_been_quiet(path: Path, reader: Reader) -> None:
    write(path, line(1) + line(2)[:15])
    reader.read()
    old = rotate(path)
    write(path, line(3))
    assert reader.read() == [1, 3]
    past = time.time() - QUIET_AFTER_S - 5
    os.utime(old, (past, past))
    write(path, line(4))
    assert reader.read() == [1, 3, 4]
    assert reader.source.skipped_lines == 1
    finished, followed = (parse_position(text) for text in reader.tail.cursor.split(","))
    assert (finished.is_finished, followed.is_finished) == (True, False)


def test_an_end_without_a_line_feed_is_taken_once(path: Path, reader: Reader) -> None:
    write(path, line(1) + line(2).rstrip())
    assert reader.read() == [1]
    old = rotate(path)
    write(path, line(3))
    assert reader.read() == [1, 2, 3]
    write(old, "\n" + line(4))
    assert sorted(reader.read()) == [1, 2, 3, 4]
    assert reader.source.skipped_lines == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_truncated_and_grown_past_the_place_is_read_from_its_start(
    path: Path, reader: Reader, restarted: bool
) -> None:
    write(path, "".join(line(t) for t in range(100, 110)))
    before = reader.read()
    path.write_text("".join(line(t) for t in range(200, 240)))
    if restarted:
        reader.restart()
    assert reader.read() == [*before, *range(200, 240)]


def test_a_file_truncated_to_the_same_length_is_noticed(path: Path, reader: Reader) -> None:
    write(path, line(100) + line(101))
    reader.read()
    path.write_text(line(200) + line(201))
    assert reader.read() == [100, 101, 200, 201]


@pytest.mark.parametrize("restarted", [False, True])
def test_several_rotations_between_two_looks_lose_nothing(path: Path, reader: Reader, restarted: bool) -> None:
    write(path, line(1))
    reader.read()
    for t in (2, 3, 4):
        write(path, line(t * 10))
        for number in (3, 2, 1):
            old = path.with_name(f"{path.name}.{number}")
            if old.exists():
                old.rename(path.with_name(f"{path.name}.{number + 1}"))
        rotate(path)
        write(path, line(t * 10 + 1))
    path.with_name(f"{path.name}.bak").write_text(line(99))
    if restarted:
        reader.restart()
    assert sorted(reader.read()) == [1, 20, 21, 30, 31, 40, 41]


def test_a_copy_left_by_a_truncating_rotation_while_down_is_read_on_and_not_again(path: Path, reader: Reader) -> None:
    write(path, line(100) + line(101))
    reader.read()
    reader.tail.close()
    write(path, line(102))
    path.with_name("events.jsonl.1").write_bytes(path.read_bytes())
    path.write_text(line(200))
    reader.restart()
    assert sorted(reader.read()) == [100, 101, 102, 200]


def test_an_inode_used_again_is_another_file(path: Path, reader: Reader) -> None:
    write(path, line(100) + line(101))
    reader.read()
    reader.tail.close()
    inode, cursor = path.stat().st_ino, reader.tail.cursor
    path.unlink()
    write(path, line(200) + line(201) + line(202))
    reader.tail = FileTail(path, cursor.replace(str(inode), str(path.stat().st_ino)))
    assert reader.read() == [100, 101, 200, 201, 202]


def test_a_cursor_of_an_older_version_goes_on(path: Path, reader: Reader) -> None:
    write(path, line(1) + line(2))
    reader.tail = FileTail(path, f"{path.stat().st_ino}:{len(line(1))}")
    assert reader.read() == [2]


def test_a_chunk_boundary_inside_a_line_changes_nothing(path: Path, reader: Reader) -> None:
    count = 3 * MAX_CHUNK_BYTES // len(line(100_000))
    write(path, "".join(line(100_000 + i) for i in range(count)))
    assert reader.read() == [100_000 + i for i in range(count)]


class Writer:
    """A program that writes, in parts, and a rotation that strikes in the middle of its lines."""

    def __init__(self, path: Path, reader: Reader, chance: random.Random) -> None:
        self.path, self.reader, self.chance, self.wrote = path, reader, chance, [0]
        write(path, line(0))
        reader.read()

    def _next(self) -> int:
        self.wrote.append(len(self.wrote))
        return self.wrote[-1]

    def _perhaps_read(self) -> None:
        if self.chance.random() < 0.4:
            self.reader.once()

    def write(self) -> None:
        text = "".join(line(self._next()) for _ in range(self.chance.randrange(1, 6)))
        cut = self.chance.randrange(len(text))
        write(self.path, text[:cut])
        self._perhaps_read()
        write(self.path, text[cut:])

    def rotate(self) -> None:
        for number in range(8, 0, -1):
            if (old := self.path.with_name(f"{self.path.name}.{number}")).exists():
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        late = line(self._next())
        write(self.path, late[:9])
        old = rotate(self.path)
        write(self.path, line(self._next()))
        self._perhaps_read()
        write(old, late[9:])

    def truncate(self) -> None:
        self.reader.read()
        self.path.write_text("")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_writer_does_each_line_is_read_once(path: Path, reader: Reader, seed: int) -> None:
    chance = random.Random(seed)
    writer = Writer(path, reader, chance)
    acts = [writer.write] * 5 + [reader.once] * 2 + [reader.restart, writer.rotate, writer.truncate]
    for act in chance.choices(acts, k=150):
        act()
    assert sorted(reader.read()) == writer.wrote
    assert reader.source.skipped_lines == 0


FOLLOW = """
import sys, threading
from pathlib import Path
from edge_agent.outbox import Outbox
from edge_agent.sources.file import FileSource
from edge_agent.sources.file_position import parse_position
from edge_agent.sources.state import DeviceState
box = Outbox(Path(sys.argv[2]), lambda: "s")
print("up", flush=True)
FileSource(Path(sys.argv[1]), DeviceState(), wait_s=0.005).run(box, threading.Event())
"""


@pytest.mark.parametrize("seed", range(2))
def test_kill_9_at_any_point_neither_loses_nor_doubles(path: Path, tmp_path: Path, seed: int) -> None:
    chance, wrote = random.Random(seed), 1
    db = tmp_path / "killed.db"
    write(path, line(0))
    assert committed(path, db) == [0]
    for round_ in range(6):
        child = subprocess.Popen([sys.executable, "-c", FOLLOW, str(path), str(db)], stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"up\n"
            for i in range(kill_at := chance.randrange(50, 400)):
                write(path, line(wrote))
                wrote += 1
                time.sleep(0.0005)  # the pace of the writer: kills fall between the reader's commits
                if i == kill_at // 2 and round_ % 2:
                    rotate(path, f".{round_}")
        finally:
            child.kill()
            child.communicate()
    assert sorted(committed(path, db)) == list(range(wrote))


def committed(path: Path, db: Path) -> list[int]:
    """Read what is left; returns all that was ever committed."""
    box = Outbox(db, lambda: "s")
    last = Reader(path, box)
    last.restart()
    try:
        return last.read()
    finally:
        last.tail.close()
        box.close()
