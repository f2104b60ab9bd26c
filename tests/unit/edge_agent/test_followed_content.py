"""A followed file is its content: copies, archives and damage never double an event, nor lose one in silence."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings, strategies as st

from edge_agent.outbox import OutboxFull
from edge_agent.sources.compressed_content import UnreadableFile
from edge_agent.sources.damaged_line import find_events
from edge_agent.sources.file_position import UNENDED_AFTER_S
from edge_agent.sources.followed_file import MAX_CHUNK_BYTES, open_followed
from edge_agent.sources.rotated_names import RotatedNames
from edge_agent.sources.tail import ARCHIVE_SETTLES_S, FileTail
from tests.file_reader import FileReader, append, compress, event_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log" / "events.jsonl"


@pytest.fixture
def reader(path: Path, tmp_path: Path) -> Iterator[FileReader]:
    one = FileReader(path, tmp_path / "outbox.db")
    yield one
    one.close()


def lines(*times: int) -> bytes:
    return b"".join(event_line(t) for t in times)


RENAMED = [
    "events.jsonl.1", "events.jsonl-20261129", "events.jsonl-20261129.2", "events-20261129.jsonl", "events.1.jsonl",
    "events.jsonl.old", "events.jsonl.bak", "events.jsonl~", "events-2026-11-29T10-00-00.000.jsonl",
    "events.jsonl.2026-11-29_10", "events__2026-11-29_10-00-00.jsonl", "20261129-events.jsonl", "archive/events.jsonl",
    "old/events-20261129.jsonl", "anything.txt",
]  # fmt: skip
COMPRESSED = [
    "events.jsonl.1.gz", "events.jsonl-20261129.gz", "events-20261129.jsonl.gz", "events.jsonl.1.zst",
    "events.jsonl.1.bz2", "events.jsonl.1.xz", "events.jsonl.zip", "archive/events.jsonl-20261129.gz",
    "events.jsonl.1.gzip", "events.jsonl.1.zstd", "events.jsonl.1",
]  # fmt: skip


@pytest.mark.parametrize(("name", "is_compressed"), [*((n, False) for n in RENAMED), *((n, True) for n in COMPRESSED)])
@pytest.mark.parametrize("is_down", [True, False], ids=["stopped", "running"])
def test_a_file_rotated_under_any_name_is_read_to_its_end(
    path: Path, reader: FileReader, name: str, is_compressed: bool, is_down: bool
) -> None:
    append(path, lines(1))
    assert reader.read() == [1]
    if is_down:
        reader.stop()
    append(path, lines(2))
    target = path.parent / name
    target.parent.mkdir(exist_ok=True)
    if is_compressed:
        compress(path, target)
    elif "/" in name:
        shutil.copy2(path, target)
        path.unlink()
    else:
        path.rename(target)
    append(path, lines(3))
    if is_down:
        reader.start()
    assert reader.read() == [1, 2, 3]
    reader.stop()
    reader.start()
    assert reader.read() == [1, 2, 3]
    assert (reader.source.skipped_lines, reader.tail.counters.lost) == (0, 0)


def test_several_rotations_while_stopped_with_delayed_compression_lose_nothing(path: Path, reader: FileReader) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(2))
    path.rename(path.with_name("events.jsonl.1"))
    append(path, lines(3, 4))
    compress(path.with_name("events.jsonl.1"), path.with_name("events.jsonl.2.gz"))
    path.rename(path.with_name("events.jsonl.1"))
    append(path, lines(5))
    reader.start()
    assert reader.read() == [1, 2, 3, 4, 5]


def test_a_read_file_that_is_compressed_later_is_not_read_again(path: Path, reader: FileReader) -> None:
    append(path, lines(1, 2))
    reader.read()
    old = path.rename(path.with_name("events.jsonl.1"))
    append(path, lines(3))
    assert reader.read() == [1, 2, 3]
    reader.stop()
    compress(old, path.with_name("events.jsonl.2.gz"))
    path.rename(path.with_name("events.jsonl.1"))
    append(path, lines(4))
    reader.start()
    assert reader.read() == [1, 2, 3, 4]


@pytest.mark.parametrize("is_down", [True, False], ids=["stopped", "running"])
def test_a_copy_with_the_same_start_goes_on_where_it_was(path: Path, reader: FileReader, is_down: bool) -> None:
    append(path, lines(*range(1, 40)))
    before = reader.read()
    if is_down:
        reader.stop()
    copy = path.with_name("events.jsonl.tmp")
    copy.write_bytes(path.read_bytes() + lines(40))
    copy.replace(path)
    if is_down:
        reader.start()
    assert reader.read() == [*before, 40]
    append(path, lines(41))
    assert reader.read() == [*before, 40, 41]
    assert reader.tail.counters.lost == 0


@pytest.mark.parametrize("is_down", [True, False], ids=["stopped", "running"])
def test_an_editor_that_keeps_a_backup_doubles_nothing(path: Path, reader: FileReader, is_down: bool) -> None:
    append(path, lines(1, 2))
    reader.read()
    if is_down:
        reader.stop()
    append(path, lines(3))
    backup = path.rename(path.with_name("events.jsonl~"))
    path.write_bytes(backup.read_bytes() + lines(4))
    if is_down:
        reader.start()
    assert reader.read() == [1, 2, 3, 4]


@pytest.mark.parametrize("is_down", [True, False], ids=["stopped", "running"])
def test_a_file_whose_last_lines_are_cut_off_is_not_read_again_from_its_start(
    path: Path, reader: FileReader, is_down: bool
) -> None:
    append(path, lines(*range(1, 13)))
    before = reader.read()
    if is_down:
        reader.stop()
    edited = path.with_name("events.jsonl.tmp")
    edited.write_bytes(lines(*range(1, 10)) + lines(20, 21))
    edited.replace(path)
    if is_down:
        reader.start()
    assert reader.read() == [*before, 20, 21]
    assert reader.tail.counters.rewritten == 1


def test_a_copy_in_progress_over_the_file_doubles_nothing(path: Path, reader: FileReader) -> None:
    append(path, lines(*range(1, 200)))
    before = reader.read()
    content = path.read_bytes() + lines(200)
    with path.open("r+b", buffering=0) as file:
        file.truncate(0)
        for at in range(0, len(content), 777):
            file.write(content[at : at + 777])
            assert reader.read()[:199] == before
    assert reader.read() == [*before, 200]
    assert reader.tail.counters.rewritten == 0


@pytest.mark.parametrize("count", [3, 6000], ids=["small", "larger than a chunk"])
def test_a_writer_that_keeps_its_offset_through_a_truncation_is_followed(
    path: Path, reader: FileReader, count: int
) -> None:
    with path.open("wb", buffering=0) as writer:
        writer.write(lines(*range(count)))
        before = reader.read()
        for start in (count, count + 2):
            os.truncate(path, 0)
            writer.write(lines(start, start + 1))
            assert reader.read() == [*before, start, start + 1]
            before = reader.read()
    assert reader.source.skipped_lines == 0


@pytest.mark.parametrize("is_down", [True, False], ids=["stopped", "running"])
def test_lines_between_the_last_look_and_a_copying_truncation_are_read_from_the_copy(
    path: Path, reader: FileReader, is_down: bool
) -> None:
    append(path, lines(1, 2))
    reader.read()
    if is_down:
        reader.stop()
    append(path, lines(3))
    shutil.copy2(path, path.with_name("events.jsonl.1"))
    os.truncate(path, 0)
    append(path, lines(4))
    if is_down:
        reader.start()
    assert reader.read() == [1, 2, 3, 4]
    assert reader.tail.counters.lost == 0


@pytest.mark.parametrize("nuls", [1, 300, MAX_CHUNK_BYTES + 5])
def test_nuls_of_a_power_cut_hide_no_line(path: Path, reader: FileReader, nuls: int) -> None:
    path.write_bytes(lines(1) + b'{"type":"paym' + b"\0" * nuls + lines(2, 3))
    assert reader.read() == [1, 2, 3]
    assert reader.source.skipped_lines == 1


def test_nuls_at_the_end_may_still_be_written_over(path: Path, reader: FileReader) -> None:
    path.write_bytes(lines(1) + b"\0" * 5000)
    assert reader.read() == [1]
    with path.open("r+b") as file:
        file.seek(len(lines(1)))
        file.write(lines(2))
    assert reader.read() == [1, 2]


TORN = b'{"type":"payment.result","t":7,"outco'


@pytest.mark.parametrize(
    ("text", "times", "damaged"),
    [
        (TORN + event_line(1), [1], 1),
        (TORN + event_line(1).strip() + event_line(2), [1, 2], 1),
        (event_line(1).strip() + event_line(2), [1, 2], 0),
        (event_line(1).strip() + TORN + b"\n", [1], 1),
        (TORN + TORN + b"\n", [], 1),
        (b'{"type":"evil","inner":' + event_line(1).strip() + b"}\n", [], 1),
        (b"{" * 5000 + b"\n", [], 1),
    ],
)
def test_the_whole_events_of_a_damaged_line_are_taken_and_the_torn_ones_counted(
    path: Path, reader: FileReader, text: bytes, times: list[int], damaged: int
) -> None:
    append(path, text + event_line(9))
    assert reader.read() == [*times, 9]
    assert reader.source.skipped_lines == damaged


def test_an_event_inside_a_whole_object_is_no_event_of_its_own() -> None:
    assert find_events(b'[{"a":1}, {"type":"payment.result","t":1,"outcome":"ok","x":2}]').events == []


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_text_of_any_encoding_and_line_end_is_read(path: Path, reader: FileReader, encoding: str, end: str) -> None:
    data = "".join(event_line(t).decode().strip() + end for t in range(1, 400)).encode(encoding)
    append(path, data[:-1])
    assert reader.read() == list(range(1, 400 if end == "\r\n" else 399))
    reader.stop()
    reader.start()
    append(path, data[-1:] + (event_line(400).decode().strip() + end).encode(encoding))
    assert reader.read() == list(range(1, 401))
    assert reader.source.skipped_lines == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_lines_of_two_bytes_a_letter_go_on_over_the_end_of_a_chunk(
    path: Path, reader: FileReader, encoding: str
) -> None:
    append(path, lines(*range(4000)).decode().encode(encoding))
    assert reader.read() == list(range(4000))


def test_marks_inside_a_file_of_joined_files_are_no_fault(path: Path, reader: FileReader) -> None:
    bom = "\ufeff".encode()
    append(path, b"\0\0" + bom + lines(1) + bom + lines(2))
    assert reader.read() == [1, 2]
    assert reader.source.skipped_lines == 0


def test_a_last_event_without_a_line_end_is_taken_when_the_file_rests(
    path: Path, reader: FileReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, lines(1) + lines(2).strip())
    assert reader.read() == [1]
    import time

    later = time.monotonic() + UNENDED_AFTER_S
    monkeypatch.setattr("edge_agent.sources.file_position.time.monotonic", lambda: later)
    assert reader.read() == [1, 2]
    append(path, b"\n" + lines(3))
    assert reader.read() == [1, 2, 3]
    assert reader.source.skipped_lines == 0


def test_a_line_over_the_limit_is_one_fault_and_its_parts_are_no_events(path: Path, reader: FileReader) -> None:
    append(path, b"[" + b",".join([event_line(5).strip()] * 12_000) + b"]\n" + lines(1))
    assert reader.read() == [1]
    assert reader.source.skipped_lines == 1


def test_a_link_that_is_switched_to_another_file_is_followed(path: Path, reader: FileReader, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    days = [folder / f"tickets-2026112{day}.jsonl" for day in (7, 8, 9)]
    append(days[0], lines(1))
    path.symlink_to(days[0])
    assert reader.read() == [1]
    reader.stop()
    for day, t in zip(days, (2, 3, 4), strict=True):
        append(day, lines(t))
        path.unlink()
        path.symlink_to(day)
    reader.start()
    assert sorted(reader.read()) == [1, 2, 3, 4]
    assert reader.tail.counters.lost == 0


def test_a_mount_that_vanishes_and_returns_doubles_nothing(path: Path, reader: FileReader, tmp_path: Path) -> None:
    append(path, lines(1, 2))
    reader.read()
    reader.stop()
    away = tmp_path / "away"
    path.parent.rename(away)
    reader.start()
    assert reader.read() == [1, 2]
    away.rename(path.parent)
    append(path, lines(3))
    assert reader.read() == [1, 2, 3]
    assert reader.tail.counters.lost == 0


def test_a_file_that_returns_after_another_had_its_place_is_not_read_again(
    path: Path, reader: FileReader, tmp_path: Path
) -> None:
    append(path, lines(1, 2))
    reader.read()
    reader.stop()
    away = tmp_path / "away"
    path.parent.rename(away)
    path.parent.mkdir()
    append(path, lines(50))
    reader.start()
    assert reader.read() == [1, 2, 50]
    assert reader.tail.counters.lost == 1
    shutil.rmtree(path.parent)
    away.rename(path.parent)
    append(path, lines(3))
    assert sorted(reader.read()) == [1, 2, 3, 50]


def test_a_file_deleted_and_written_again_with_the_same_first_lines_goes_on(path: Path, reader: FileReader) -> None:
    append(path, lines(1, 2))
    reader.read()
    path.unlink()
    append(path, lines(1, 2, 3))
    assert reader.read() == [1, 2, 3]


@pytest.fixture
def alarms(reader: FileReader) -> list[tuple[str, str]]:
    raised: list[tuple[str, str]] = []
    reader.source.raise_alarm = lambda alarm, name: raised.append((alarm, name))
    return raised


def test_content_that_is_found_nowhere_raises_an_alarm(path: Path, reader: FileReader, tmp_path: Path) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(2))
    shutil.move(path, tmp_path / "moved.jsonl")
    append(path, lines(3))
    reader.start()
    reader.read()
    assert reader.alarms() == [("input_lost", "file")]


@pytest.mark.parametrize("name", ["events.jsonl.1.gz", "events.jsonl.1.zst", "events.jsonl.1.zip", "events.jsonl.1.xz"])
def test_an_archive_that_cannot_be_read_raises_an_alarm(path: Path, reader: FileReader, name: str) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    path.unlink()
    path.with_name(name).write_bytes(b"no archive")
    os.utime(path.with_name(name), (1, time.time() - ARCHIVE_SETTLES_S))
    append(path, lines(3))
    reader.start()
    reader.read()
    assert ("input_lost", "file") in reader.alarms()


@pytest.mark.parametrize("name", ["events.jsonl.1.gz", "events.jsonl.1.zst", "events.jsonl.1.zip", "events.jsonl.1.xz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_archive_that_is_still_being_written_is_waited_for(
    path: Path, reader: FileReader, name: str, share: float
) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(*range(2, 2_000)))
    target, written_at = path.with_name(name), path.stat().st_mtime_ns
    compress(path, target)
    whole = target.read_bytes()
    target.write_bytes(whole[: int(len(whole) * share)])
    append(path, lines(5_000))
    reader.start()
    times = reader.read()
    assert 5_000 in times
    reader.stop()
    reader.start()
    reader.read()
    target.write_bytes(whole)
    os.utime(target, ns=(1, written_at))
    assert sorted(reader.read()) == [*range(1, 2_000), 5_000]
    assert reader.alarms() == []


@pytest.mark.parametrize("size", [0, 5, 200, 300_000, 3_000_000])
@pytest.mark.parametrize("has_checksum", [True, False])
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_zstandard_file_is_whole_with_its_last_frame(
    tmp_path: Path, size: int, has_checksum: bool, is_stream: bool
) -> None:
    text = os.urandom(size // 2) + b"a" * (size - size // 2)
    compressor = zstandard.ZstdCompressor(write_checksum=has_checksum, write_content_size=not is_stream)
    stream = compressor.compressobj()
    frame = stream.compress(text) + stream.flush() if is_stream else compressor.compress(text)
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    path = tmp_path / "a.zst"
    path.write_bytes(skippable + frame + frame)
    file = open_followed(path)
    assert file.read_at(0, 2 * size + 1) == text * 2
    file.close()
    for end in (len(frame) + 12, len(frame) + len(skippable) + 1, 2 * len(frame) + len(skippable) - 1):
        path.write_bytes((skippable + frame + frame)[:end])
        with pytest.raises(UnreadableFile):
            open_followed(path)


def test_an_archive_that_is_never_completed_raises_an_alarm(path: Path, reader: FileReader) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(2))
    target = path.with_name("events.jsonl.1.gz")
    compress(path, target)
    target.write_bytes(target.read_bytes()[:20])
    append(path, lines(3))
    reader.start()
    reader.read()
    assert reader.alarms() == []
    os.utime(target, (1, time.time() - ARCHIVE_SETTLES_S))
    assert reader.read() == [1, 3]
    assert ("input_lost", "file") in reader.alarms()


def test_a_file_emptied_while_stopped_raises_an_alarm(path: Path, reader: FileReader) -> None:
    append(path, lines(1, 2))
    reader.read()
    reader.stop()
    path.write_bytes(lines(3))
    reader.start()
    reader.read()
    assert reader.alarms() == [("input_lost", "file")]


def test_a_file_emptied_before_it_was_read_raises_an_alarm(path: Path, reader: FileReader) -> None:
    append(path, lines(*range(10_000)))
    assert reader.once()
    path.write_bytes(lines(20_000))
    reader.once()
    assert reader.tail.counters.lost == 1


@pytest.mark.parametrize("new", [b"", lines(3)], ids=["nothing new", "a new line"])
def test_lost_content_is_reported_once_however_often_the_process_ends(
    path: Path, reader: FileReader, tmp_path: Path, new: bytes
) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(2))
    shutil.move(path, tmp_path / "moved.jsonl")
    append(path, lines(9) + new)
    for _ in range(3):
        reader.start()
        reader.read()
        reader.stop()
    reader.start()
    assert reader.alarms() == [("input_lost", "file")]


def test_a_commit_that_fails_reports_lost_content_neither_alone_nor_twice(
    path: Path, reader: FileReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    append(path, lines(2))
    shutil.move(path, tmp_path / "moved.jsonl")
    append(path, lines(3))
    cursor = reader.outbox.cursor("file")

    def end(*_: object, **__: object) -> None:
        raise OutboxFull("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(reader.outbox, "append", end)
        reader.start()
        with pytest.raises(OutboxFull):
            reader.once()
        reader.stop()
    assert (reader.alarms(), reader.outbox.cursor("file")) == ([], cursor)
    reader.start()
    assert reader.read() == [1, 3]
    assert reader.alarms() == [("input_lost", "file")]


def test_changed_lines_raise_an_alarm(path: Path, reader: FileReader) -> None:
    append(path, lines(1, 2, 3))
    reader.read()
    reader.stop()
    path.write_bytes(lines(1, 2, 4))
    reader.start()
    reader.read()
    assert reader.alarms() == [("input_rewritten", "file")]


def test_refused_lines_raise_an_alarm(path: Path, reader: FileReader, alarms: list[tuple[str, str]]) -> None:
    append(path, b"no json\nneither\n" + lines(1))
    reader.start()
    reader.read()
    assert alarms == [("events_skipped", "file")]


def test_a_file_that_may_not_be_read_fails_the_source_and_loses_nothing(path: Path, reader: FileReader) -> None:
    append(path, lines(1))
    reader.read()
    reader.stop()
    path.unlink()
    path.mkdir()
    reader.start()
    with pytest.raises(OSError, match="directory"):
        reader.read()
    path.rmdir()
    append(path, lines(1, 2))
    reader.start()
    assert reader.read() == [1, 2]


def test_names_of_other_files_are_no_rotated_ones() -> None:
    names = RotatedNames("events.jsonl")
    assert [
        n for n in ("events.jsonl", "events.jsonl.bak", "other.jsonl.1", "events.jsonl.tmp") if names.is_rotated(n)
    ] == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["write", "write", "write", "tear", "rename", "date", "gzip", "zst", "copytruncate", "copy",
                         "restart", "stop", "read", "read"]),
        min_size=5, max_size=40,
    )
)  # fmt: skip
def test_each_event_is_counted_once_whatever_is_done_to_its_file(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        play = _Play(Path(name))
        for act in acts:
            play.act(act)
        play.reader.stop()
        play.reader.start()
        assert sorted(play.reader.read()) == play.written
        assert play.reader.source.skipped_lines == 0
        assert play.reader.tail.counters.lost == 0
        play.reader.close()


class _Play:
    """A writer, its rotations, and an agent that runs or is stopped."""

    def __init__(self, folder: Path) -> None:
        (folder / "log").mkdir()
        self.path = folder / "log" / "events.jsonl"
        self.reader = FileReader(self.path, folder / "o.db")
        self.written: list[int] = []
        self.number, self.is_running = 0, True
        self.write()
        self.reader.read()

    def next_line(self) -> bytes:
        self.written.append(len(self.written))
        return event_line(self.written[-1])

    def write(self) -> None:
        append(self.path, b"".join(self.next_line() for _ in range(3)))

    def act(self, act: str) -> None:  # noqa: C901
        self.number += 1
        rotated = self.path.with_name(f"events.jsonl-2026{self.number:04}")
        match act:
            case "write":
                self.write()
            case "tear":
                text = self.next_line()
                append(self.path, text[:9])
                self.once()
                append(self.path, text[9:])
            case "rename":
                self.path.rename(rotated)
                self.write()
            case "date":
                self.path.rename(self.path.with_name(f"events-2026{self.number:04}.jsonl"))
                self.write()
            case "gzip" | "zst":
                compress(self.path, rotated.with_name(rotated.name + {"gzip": ".gz", "zst": ".zst"}[act]))
                self.write()
            case "copytruncate":
                shutil.copy2(self.path, rotated)
                os.truncate(self.path, 0)
                self.write()
            case "copy":
                copy = self.path.with_name("events.jsonl.new")
                shutil.copy2(self.path, copy)
                copy.replace(self.path)
                self.write()
            case "restart":
                self.reader.stop()
                self.reader.start()
                self.is_running = True
            case "stop":
                self.is_running = False
            case _:
                self.once()

    def once(self) -> None:
        if self.is_running:
            self.reader.once()


def test_a_cursor_of_the_version_before_goes_on(path: Path, reader: FileReader) -> None:
    append(path, lines(1, 2))
    reader.read()
    inode, offset, digest, modified_ns = reader.tail.cursor.split(":")[:4]
    append(path, lines(3))
    path.rename(path.with_name("events-1.jsonl"))
    append(path, lines(4))
    reader.stop()
    reader.tail = FileTail(path, f"{inode}:{offset}:{digest}:{modified_ns}")
    assert reader.read() == [1, 2, 3, 4]
    assert json.loads(event_line(4))["t"] == 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_lines_in_utf_16_appended_to_a_file_in_utf_8_are_read(path: Path, reader: FileReader, encoding: str) -> None:
    append(path, lines(1))
    append(path, lines(2, 3).replace(b"\n", b"\r\n").decode().encode(encoding))
    append(path, lines(4))
    assert (reader.read(), reader.source.skipped_lines) == ([1, 2, 3, 4], 0)


def test_a_line_that_is_a_list_gives_its_events_and_a_bad_one_spoils_no_other(path: Path, reader: FileReader) -> None:
    batch = [json.loads(event_line(1)), None, json.loads(event_line(2)), json.loads(event_line(253_402_300_799_000))]
    append(path, json.dumps(batch).encode() + b"\n" + lines(3))
    assert (reader.read(), reader.source.skipped_lines) == ([1, 2, 3], 2)
