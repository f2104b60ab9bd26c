"""Sources of dossiers: what comes again counts once; nothing personal leaves; the backlog comes daily."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from edge_agent.mapping.document import load_mapping
from edge_agent.outbox import Outbox
from edge_agent.sources import SourceContext, dossier_feed
from edge_agent.sources.builder import build_source
from edge_agent.sources.dossier_feed import DossierFeed, SaltUnreadable
from edge_agent.sources.dossier_file import MAX_EXPORT_AGE_MS, DossierFileSource
from edge_agent.sources.dossier_http import DossierHttpSource
from edge_agent.sources.queue_answer import QueueAnswer
from edge_agent.sources.state import DeviceState
from telemetry.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.protocol.events import Event

DAY = 86_400_000
NOW = int(datetime(2021, 10, 6, 2, 0, tzinfo=UTC).timestamp() * 1000)
"""09:00 in Hanoi."""
MAPPING = """
name = "dossiers"
title = { vi = "Hồ sơ", en = "Dossiers" }
zone = "Asia/Ho_Chi_Minh"
[services]
land = { vi = "Đất đai", en = "Land" }
[common]
dossier = { ticket = ["code"] }
service = { const = "land" }
procedure = { column = "procedure", format = "id" }
level = { const = "commune" }
received = { column = "received", format = "%d/%m/%Y %H:%M" }
due = { column = "due", format = "%d/%m/%Y %H:%M", optional = true }
[[event]]
type = "dossier.received"
t = { column = "received", format = "%d/%m/%Y %H:%M" }
[[event]]
type = "dossier.resolved"
when = { column = "resolved", not_empty = true }
t = { column = "resolved", format = "%d/%m/%Y %H:%M" }
[[event]]
type = "payment.result"
when = { column = "paid", equals = "online" }
t = { column = "received", format = "%d/%m/%Y %H:%M" }
outcome = { const = "ok" }
"""
HEADER = "code;procedure;received;due;resolved;paid;họ tên;cccd"
PERSON = "Nguyễn Văn Mẫu;083090000001"


def row(code: str, resolved: str = "", *, due: str = "08/10/2021 17:00", paid: str = "") -> str:
    return f"{code};1.004203;01/10/2021 08:15;{due};{resolved};{paid};{PERSON}"


@dataclass
class Site:
    """One device with an export: `write` replaces it whole, as a nightly job does."""

    folder: Path
    outbox: Outbox
    now: int = NOW
    alarms: list[str] = field(default_factory=list)

    def feed(self, name: str = "dossiers") -> DossierFeed:
        (self.folder / "m.toml").write_text(MAPPING, "utf-8")
        if not (self.folder / "salt").exists():
            (self.folder / "salt").write_text("0123456789abcdef\n")
        mapping = load_mapping(str(self.folder / "m.toml"))
        return DossierFeed(
            name, mapping, self.folder / "salt", lambda: self.now, lambda code, _: self.alarms.append(code)
        )

    def source(self) -> DossierFileSource:
        return DossierFileSource(self.folder / "export.csv", self.feed(), name="dossiers")

    def write(self, *rows: str, text: str = "") -> None:
        new = self.folder / "new.csv"
        new.write_text(text or "\n".join([HEADER, *rows]) + "\n", "utf-8")
        os.utime(new, ns=(self.now * 1_000_000, self.now * 1_000_000))
        new.replace(self.folder / "export.csv")

    def read(self, source: DossierFileSource | None = None) -> DossierFileSource:
        source = source or self.source()
        for _ in range(2):
            source.look(self.outbox, lambda: False)
        return source

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(r.body) for r in self.outbox.rows_after(0, 10_000)]

    def types(self) -> list[str]:
        return [e["type"].removeprefix("dossier.") for e in self.events()]

    def backlogs(self) -> list[tuple[int, int]]:
        return [(e["open"], e["overdue"]) for e in self.events() if e["type"] == "dossier.backlog"]


@pytest.fixture
def site(tmp_path: Path, outbox: Outbox) -> Site:
    return Site(tmp_path, outbox)


def test_a_dossier_that_comes_again_with_its_result_adds_only_the_result(site: Site) -> None:
    source = site.source()
    site.write(row("A"), row("B"))
    site.read(source)
    site.write(row("A", "05/10/2021 10:00"), row("B"), row("C"))
    site.read(source)
    assert site.types() == ["received", "received", "backlog", "resolved", "received"]
    resolved = next(e for e in site.events() if e["type"] == "dossier.resolved")
    assert (resolved["t"], resolved["due"] > resolved["t"], resolved["level"]) == (1_633_402_800_000, True, "commune")


def test_an_export_that_is_read_again_by_a_new_agent_counts_nothing_twice(site: Site) -> None:
    site.write(row("A", "05/10/2021 10:00", paid="online"), row("B"), row("C", paid="online"))
    site.read()
    site.read()
    site.now += DAY
    site.write(row("C", paid="online"), row("B"), row("A", "05/10/2021 10:00", paid="online"))
    site.read()
    assert sorted(site.types()) == [
        "backlog", "backlog", "payment.result", "payment.result", "received", "received", "received", "resolved",
    ]  # fmt: skip


def test_nothing_of_a_person_and_no_public_code_leaves_the_device(site: Site) -> None:
    site.write(row("000.00.01.H07-211001-0001", "05/10/2021 10:00", paid="online"))
    site.read()
    raw = (site.folder / "o.db").read_bytes() + json.dumps(site.events()).encode()
    for text in ("Nguyễn", "083090000001", "H07-211001", "0123456789abcdef"):
        assert text.encode() not in raw


def test_ids_depend_on_the_secret_of_the_site(site: Site) -> None:
    site.write(row("A"))
    site.read()
    other = Site(site.folder / "other", Outbox(site.folder / "o2.db", lambda: "s2"))
    other.folder.mkdir()
    (other.folder / "salt").write_text("another secret of another site")
    other.write(row("A"))
    other.read()
    first, second = site.events()[0]["dossier"], other.events()[0]["dossier"]
    other.outbox.close()
    assert first != second


@pytest.mark.parametrize("salt", [None, "", "short"])
def test_without_a_secret_nothing_is_read_and_the_source_fails(site: Site, salt: str | None) -> None:
    site.write(row("A"))
    source = site.source()
    if salt is None:
        (site.folder / "salt").unlink()
    else:
        (site.folder / "salt").write_text(salt)
    with pytest.raises(SaltUnreadable, match="urandom"):
        site.read(source)
    assert site.events() == []
    (site.folder / "salt").write_text("0123456789abcdef")
    site.read(source)
    assert site.types() == ["received", "backlog"]


def test_the_backlog_comes_once_a_day_with_what_is_past_due(site: Site) -> None:
    source = site.source()
    site.write(row("A"), row("B", due="04/10/2021 17:00"), row("C", "05/10/2021 10:00"), row("D", due=""))
    site.read(source)
    site.read(source)
    assert site.backlogs() == [(3, 1)]
    site.now += 3 * DAY
    site.read(source)
    assert site.backlogs() == [(3, 1), (3, 2)]
    assert {e["level"] for e in site.events()} == {"commune"}


def test_when_all_are_resolved_the_backlog_is_zero(site: Site) -> None:
    site.write(row("A", "05/10/2021 10:00"))
    site.read()
    assert site.backlogs() == [(0, 0)]


def test_an_export_that_is_no_longer_written_has_no_backlog_and_raises_an_alarm(site: Site) -> None:
    source = site.source()
    site.write(row("A"))
    site.read(source)
    site.now += MAX_EXPORT_AGE_MS + 1_000
    site.read(source)
    assert site.backlogs() == [(1, 0)]
    assert set(site.alarms) == {"source_failed"}


def test_a_bad_row_is_counted_and_its_neighbours_are_taken(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.write(row("A"), row("B").replace("01/10", "31/02"), row("C") + ";;;x", row("D"))
    source = site.read()
    assert (site.types(), source.feed.skipped_rows, set(site.alarms)) == (
        ["received", "received", "backlog"], 2, {"events_skipped"}
    )  # fmt: skip
    logged = str([vars(record) for record in caplog.records])
    assert "row_unreadable" in logged
    assert "bad_rows_skipped" in logged
    assert "Mẫu" not in logged
    assert "31/02" not in logged


def test_a_file_that_is_still_written_is_waited_for(site: Site) -> None:
    source = site.source()
    for count in range(1, 4):
        site.write(*(row(code) for code in "ABC"[:count]))
        source.look(site.outbox, lambda: False)
    assert site.events() == []
    source.look(site.outbox, lambda: False)
    assert site.types() == ["received"] * 3 + ["backlog"]


def test_a_missing_file_is_waited_for(site: Site) -> None:
    source = site.read()
    assert (site.events(), site.alarms) == ([], [])
    site.write(row("A"))
    site.read(source)
    assert site.types() == ["received", "backlog"]


def test_old_events_are_left_out_and_their_open_dossiers_counted(site: Site) -> None:
    site.write(row("A").replace("01/10/2021 08:15", "01/10/2019 08:15"), row("B"))
    site.read()
    assert (site.types(), site.backlogs(), site.alarms) == (["received", "backlog"], [(2, 0)], [])


def test_a_time_ahead_is_taken_once_it_has_come(site: Site) -> None:
    site.write(row("A", "08/10/2021 10:00"))
    source = site.read()
    site.now += 3 * DAY
    site.read(source)
    assert [t for t in site.types() if t != "backlog"] == ["received", "resolved"]


def test_json_lines_are_read_as_well(site: Site) -> None:
    keys = HEADER.split(";")
    lines = [json.dumps(dict(zip(keys, row(code).split(";"), strict=True))) for code in "AB"]
    site.write(text="\n".join(lines) + "\n")
    site.read()
    assert site.types() == ["received", "received", "backlog"]


def test_an_export_longer_than_the_memory_is_refused_beyond_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossier_feed, "MAX_FEED_EVENTS", 3)
    site.write(*(row(code) for code in "ABCDE"))
    site.read()
    site.read()
    assert (site.types(), set(site.alarms)) == (["received"] * 3, {"events_skipped"})


def test_more_events_than_the_cursor_holds_are_remembered(site: Site) -> None:
    site.write(*(row(f"N{i}") for i in range(2_500)))
    site.read()
    site.read()
    assert site.types().count("received") == 2_500


class _Killed(Exception):
    pass


@dataclass
class _DyingOutbox:
    """The outbox, whose `left`-th next commit is not reached."""

    inner: Outbox
    left: int

    def append(self, events: Sequence[Event], source: str = "", cursor: str = "") -> tuple[int, int]:
        self.left -= 1
        if self.left < 0:
            raise _Killed
        return self.inner.append(events, source=source, cursor=cursor)

    def cursor(self, source: str) -> str:
        return self.inner.cursor(source)


def test_a_kill_between_two_commits_neither_loses_nor_doubles(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossier_feed, "CHUNK_EVENTS", 4)
    site.write(*(row(code, "05/10/2021 10:00" if code in "ACE" else "") for code in "ABCDEFGH"))
    for left in range(5):
        source = site.source()
        try:
            for _ in range(2):
                source.look(_DyingOutbox(site.outbox, left), lambda: False)  # type: ignore[arg-type]
        except _Killed:
            pass
    site.read()
    assert {t: site.types().count(t) for t in set(site.types())} == {"received": 8, "resolved": 3, "backlog": 1}


DOSSIERS = st.lists(st.tuples(st.sampled_from("ABCDEF"), st.booleans()), max_size=8)


@settings(max_examples=40, deadline=None)
@given(exports=st.lists(DOSSIERS, max_size=6))
def test_each_dossier_is_received_once_and_resolved_once_whatever_comes_again(
    exports: list[list[tuple[str, bool]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, Outbox(folder / "o.db", lambda: "s"))
    source = site.source()
    for export in exports:
        site.write(*(row(code, "05/10/2021 10:00" if done else "") for code, done in export))
        site.now += 1
        site.read(source)
    types = site.types()
    site.outbox.close()
    everything = [pair for export in exports for pair in export]
    assert types.count("received") == len({code for code, _ in everything})
    assert types.count("resolved") == len({code for code, done in everything if done})


# --- over HTTP ----------------------------------------------------------------------------------


def element(code: str, resolved: str = "", **more: object) -> bytes:
    keys = HEADER.split(";")
    return json.dumps({**dict(zip(keys, row(code, resolved).split(";"), strict=True)), **more}).encode()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[QueueAnswer]]:
    """What the dossier system answers next; the requests themselves are those of `queue_http`."""
    waiting: list[QueueAnswer] = []
    monkeypatch.setattr(DossierHttpSource, "fetch_answer", lambda *_: waiting.pop(0))
    yield waiting
    assert waiting == []


def http_source(site: Site) -> DossierHttpSource:
    return DossierHttpSource("http://127.0.0.1:1/", DeviceState(), feed=site.feed())


def test_a_dossier_with_the_same_id_in_another_state_adds_its_result(site: Site, answers: list[QueueAnswer]) -> None:
    source = http_source(site)
    answers += [
        QueueAnswer([element("A", id=1), element("B", id=2)], "2"),
        QueueAnswer([element("A", "05/10/2021 10:00", id=1)], "3"),
        QueueAnswer([element("A", "05/10/2021 10:00", id=1)], "3"),
    ]
    assert [source.poll_once(site.outbox) for _ in range(3)] == [True, True, False]
    assert site.types() == ["received", "received", "resolved"]
    assert source.feed.read_next(site.outbox) == "3"


def test_a_list_without_a_cursor_is_all_dossiers_and_gives_the_backlog(site: Site, answers: list[QueueAnswer]) -> None:
    source = http_source(site)
    for _ in range(2):
        answers.append(QueueAnswer([element("A"), element("B", "05/10/2021 10:00")]))
        assert not source.poll_once(site.outbox) or site.types().count("received") == 2
    assert site.backlogs() == [(1, 0)]
    assert site.types().count("received") == 2


def test_an_element_that_cannot_be_read_is_counted_and_its_neighbours_are_taken(
    site: Site, answers: list[QueueAnswer]
) -> None:
    source = http_source(site)
    answers.append(QueueAnswer([b"{", b"7", element("A"), element("B", received="soon")], "1"))
    source.poll_once(site.outbox)
    assert (site.types(), source.feed.skipped_rows, site.alarms) == (["received"], 3, ["events_skipped"])


def test_the_backlog_is_never_counted_from_a_part_of_the_list(site: Site, answers: list[QueueAnswer]) -> None:
    source = http_source(site)
    answers += [QueueAnswer([element("A")], "1"), QueueAnswer([], None)]
    source.poll_once(site.outbox)
    source.poll_once(site.outbox)
    assert site.backlogs() == []


@pytest.mark.parametrize(
    ("kind", "key", "value"), [("dossier_file", "path", "export.csv"), ("dossier_http", "url", "http://127.0.0.1:1/")]
)
def test_an_agent_builds_the_source_and_refuses_a_faulty_mapping(site: Site, kind: str, key: str, value: str) -> None:
    site.feed()
    values = {key: value, "mapping": "m.toml", "salt_file": "salt"}
    context = SourceContext("vn83-83-gateway1", site.folder, 60_000, lambda: NOW, DeviceState())
    source = build_source(kind, values, context)
    assert source.name == f"{kind}:{value}"
    assert all(x is not y for x, y in pairwise([source, build_source(kind, values, context)]))
    with pytest.raises(MappingError):
        build_source(kind, values | {"mapping": "none.toml"}, context)
