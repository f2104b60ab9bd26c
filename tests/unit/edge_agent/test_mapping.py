"""Checks the replay mappings and the import of files through them; it must not send anything anywhere."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge_agent.mapping import cell_parsing, expressions
from edge_agent.mapping.cell_parsing import RowCells, slugify
from edge_agent.mapping.document import find_line, load_mapping, shipped_mappings
from edge_agent.mapping.expressions import ConstExpression, parse_expression
from edge_agent.mapping.importer import (
    ImportedLog,
    digest_file,
    import_centre,
    read_log,
    replay_device_id,
    replay_outbox_id,
)
from edge_agent.sources.queue_mapping import build_row_mapper
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.protocol.events import (
    DossierReceived,
    DossierResolved,
    Event,
    TicketAbandoned,
    TicketCalled,
    TicketFinished,
    TicketIssued,
)
from telemetry.errors import Fault, MappingError

DATA = Path(os.environ.get("MOTCUA_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")).resolve()
ROOT_KEYS = """\
name = "hall"
title = { vi = "Sảnh", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
"""
SERVICES = """
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai", "DD"] }
tax = { vi = "Thuế", en = "Tax" }
"""
ISSUED = """
[[event]]
type = "ticket.issued"
ticket = { ticket = ["no"] }
service = { service = "service" }
t = { column = "taken", format = "iso" }
"""
BANK_HEADER = (
    "vru+line\tcall_id\tpriority\ttype\tdate\tvru_entry\tvru_exit\tvru_time\tq_start\tq_exit\tq_time\toutcome\t"
    "ser_start\tser_exit\tser_time\tserver"
)
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file and returns its path."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return _write


def real(relative: str) -> Path:
    """Return a file of the shared data, or skip (fail under CI) when it is not there."""
    path = DATA / relative
    if not path.exists():
        message = f"{path} is missing: set MOTCUA_DATA to the folder that holds {relative}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    return path


@pytest.fixture(scope="module")
def bank() -> ImportedLog:
    """Return the checked call log of the bank."""
    return read_log(load_mapping("bank-1999"), real("queue/bank-1999-02-first-half.tsv"))


@pytest.fixture(scope="module")
def calls(bank: ImportedLog) -> list[Event]:
    """Return all events of the bank."""
    return list(bank.events())


@pytest.fixture(scope="module")
def dossiers() -> list[Event]:
    """Return all events of the dossier log."""
    return list(read_log(load_mapping("coselog-receipt"), real("dossiers/receipt-first-half.csv")).events())


def hall(write: Write, body: str, *, services: str = SERVICES, keys: str = ROOT_KEYS) -> str:
    """Write a mapping and return its path."""
    return str(write("hall.toml", keys + services + body))


def faults_of(action: Callable[[], object]) -> tuple[Fault, ...]:
    """Return the faults the action raises."""
    with pytest.raises(MappingError) as caught:
        action()
    return caught.value.faults


def bank_events(write: Write, *rows: str) -> list[Event]:
    """Return the events of rows written as `date entry exit q_time outcome ser_start ser_time server`."""
    lines = [BANK_HEADER]
    for number, row in enumerate(rows):
        date, entry, leave, q_time, outcome, start, ser_time, server = row.split()
        zero = "0:00:00"
        cells = ["AA01", str(number), "2", "PS", date, entry, leave, "9", zero, zero, q_time, outcome, start, zero,
                 ser_time, server]  # fmt: skip
        lines.append("\t".join(cells))
    return list(read_log(load_mapping("bank-1999"), write("bank.tsv", "\n".join(lines) + "\n")).events())


def israel(text: str) -> int:
    """Return a local time of Israel as Unix ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Jerusalem")).timestamp() * 1000)


class TestBank:
    """The real call log."""

    def test_counts(self, bank: ImportedLog, calls: list[Event]) -> None:
        """Every row is an event or counted as skipped."""
        kinds = Counter(type(e) for e in calls)
        assert kinds == {TicketIssued: 17_313, TicketCalled: 14_405, TicketFinished: 14_405, TicketAbandoned: 2_908}
        assert bank.row_count == 17_456
        assert bank.skipped_rows == {"phantom": 143}
        assert bank.event_count == len(calls)

    def test_waits(self, calls: list[Event]) -> None:
        """Waits are those of the queue-time column."""
        waits = [e.t - e.entered for e in calls if isinstance(e, TicketCalled)]
        assert round(sum(waits) / len(waits)) == 34_405
        assert sum(wait <= 60_000 for wait in waits) == 11_592

    @pytest.mark.parametrize(
        ("service", "served", "abandoned", "wait"),
        [
            ("in", 114, 31, 93.01), ("ne", 1165, 78, 38.36), ("nw", 2916, 1343, 51.36),
            ("pe", 82, 19, 52.60), ("ps", 9707, 1413, 28.81), ("tt", 421, 24, 15.60),
        ],
    )  # fmt: skip
    def test_services(self, calls: list[Event], service: str, served: int, abandoned: int, wait: float) -> None:
        """Each service has its own figures."""
        waits = [e.t - e.entered for e in calls if isinstance(e, TicketCalled) and e.service == service]
        assert len(waits) == served
        assert sum(isinstance(e, TicketAbandoned) and e.service == service for e in calls) == abandoned
        assert sum(waits) / len(waits) / 1000 == pytest.approx(wait, abs=0.006)

    def test_every_ticket_adds_up(self, bank: ImportedLog, calls: list[Event]) -> None:
        """No time runs backwards, and everything lies in the fortnight."""
        for e in calls:
            if isinstance(e, TicketFinished):
                assert e.entered <= e.called <= e.t
        assert bank.first_t == min(e.t for e in calls) > israel("1999-02-01T00:00")
        assert bank.last_t == max(e.t for e in calls) < israel("1999-02-15T02:00")

    def test_quality(self, calls: list[Event]) -> None:
        """The served calls without a start are marked."""
        found = Counter(e.quality for e in calls if isinstance(e, TicketFinished))
        assert found == {"ok": 14_380, "missing_start": 25}

    def test_rows_numbered_and_valid(self, calls: list[Event]) -> None:
        """Row numbers run from 1, and each event survives the wire."""
        assert [e.n for e in calls] == list(range(1, len(calls) + 1))
        for event in calls[:500]:
            assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event

    def test_tickets(self, calls: list[Event]) -> None:
        """One random-looking id per call; the original does not show."""
        tickets = {e.ticket for e in calls if isinstance(e, TicketIssued)}
        assert len(tickets) == 17_313
        assert all(re.fullmatch("[a-z2-7]{26}", ticket) for ticket in tickets)
        assert b"AA0101" not in msgspec.json.encode(calls)

    def test_same_again(self, bank: ImportedLog, calls: list[Event]) -> None:
        """A second reading from nothing gives the same."""
        again = read_log(load_mapping("bank-1999"), bank.path)
        assert again.outbox_id == bank.outbox_id
        assert list(again.events()) == calls

    def test_priority_and_counter(self, calls: list[Event]) -> None:
        """Priority 2 moves ahead; servers are counters."""
        issued = Counter(e.priority for e in calls if isinstance(e, TicketIssued))
        assert issued.keys() == {"normal", "priority"}
        counters = {e.counter for e in calls if isinstance(e, TicketCalled)}
        assert {"a01", "no-server"} <= counters


class TestDossiers:
    """The real dossier log."""

    def test_counts(self, dossiers: list[Event]) -> None:
        """All are received, the ended ones resolved."""
        assert Counter(type(e) for e in dossiers) == {DossierReceived: 717, DossierResolved: 712}

    def test_channels_and_services(self, dossiers: list[Event]) -> None:
        """Raw values are mapped."""
        received = [e for e in dossiers if isinstance(e, DossierReceived)]
        assert Counter(e.channel for e in received) == {
            "online": 573, "email": 15, "direct": 82, "post": 46, "internal": 1,
        }  # fmt: skip
        assert Counter(e.service for e in received) == {"general": 689, "customer-contact": 14, "experts": 14}

    def test_times_keep_their_offset(self, dossiers: list[Event]) -> None:
        """Summer and winter time are told apart by the offset."""
        first = next(e for e in dossiers if isinstance(e, DossierResolved))
        assert first.received == int(datetime(2010, 9, 30, 22, 0, 0, tzinfo=UTC).timestamp() * 1000) + 20
        assert first.t == int(datetime(2010, 11, 12, 12, 40, 44, tzinfo=UTC).timestamp() * 1000) + 661
        assert first.due == int(datetime(2010, 11, 25, 23, 0, tzinfo=UTC).timestamp() * 1000) + 10


class TestMidnight:
    """Calls around midnight, as the bank's mapping reads them."""

    @pytest.mark.parametrize(
        ("entry", "leave", "entered"),
        [
            ("23:59:50", "0:00:10", "1999-02-02T00:00:10"),
            ("7:01:00", "6:59:45", "1999-02-01T06:59:45"),
            ("23:58:00", "23:59:59", "1999-02-01T23:59:59"),
            ("0:00:05", "0:00:00", "1999-02-01T00:00:00"),
            ("0:00:05", "23:59:55", "1999-01-31T23:59:55"),
        ],
    )
    def test_entered(self, write: Write, entry: str, leave: str, entered: str) -> None:
        """The menu's end is put on the day closest to its begin."""
        (event, _) = bank_events(write, f"990201 {entry} {leave} 0 HANG 0:00:00 0 NO_SERVER")
        assert event.t == israel(entered)

    def test_wait_and_service_past_midnight(self, write: Write) -> None:
        """Durations carry a call over midnight."""
        row = "990201 23:59:40 23:59:50 12 AGENT 0:00:02 100 A01"
        issued, called, finished = bank_events(write, row)
        assert issued.t == israel("1999-02-01T23:59:50")
        assert called.t == israel("1999-02-02T00:00:02")
        assert finished.t == israel("1999-02-02T00:01:42")
        assert isinstance(finished, TicketFinished)
        assert (finished.quality, finished.entered, finished.called) == ("ok", issued.t, called.t)

    def test_missing_start(self, write: Write) -> None:
        """A start of 0:00:00 is marked; the service still has its length."""
        finished = bank_events(write, "990201 8:00:00 8:00:10 5 AGENT 0:00:00 60 NO_SERVER")[-1]
        assert isinstance(finished, TicketFinished)
        assert (finished.quality, finished.counter) == ("missing_start", "no-server")
        assert finished.t - finished.called == 60_000

    def test_abandoned(self, write: Write) -> None:
        """The customer leaves after the queue time."""
        gone = bank_events(write, "990201 8:00:00 8:00:10 45 HANG 0:00:00 0 NO_SERVER")[-1]
        assert isinstance(gone, TicketAbandoned)
        assert (gone.t - gone.entered, gone.by, gone.stage) == (45_000, "customer", "waiting")


class TestNames:
    """Centre, device and spool."""

    def test_shipped(self) -> None:
        """Both mappings come with the program."""
        assert shipped_mappings() == ("bank-1999", "coselog-receipt", "onestop-766")

    def test_centre(self) -> None:
        """An import declares its own centre."""
        centre = import_centre(load_mapping("coselog-receipt"))
        assert (centre.id, centre.province, centre.level, centre.imported) == (
            "replay-coselog-receipt", "replay", "commune", True)  # fmt: skip
        assert (centre.unit, centre.parent, centre.counters, centre.hours) == ("", "", 0, ALWAYS_OPEN)
        assert centre.services == ("general", "customer-contact", "experts")
        assert str(centre.zone) == "Europe/Amsterdam"
        assert replay_device_id(centre.id) == "replay-coselog-receipt-replay1"

    def test_spool(self, write: Write) -> None:
        """The spool is ULID-shaped and depends on the mapping and the file."""
        bank, other = load_mapping("bank-1999"), load_mapping("coselog-receipt")
        digest = digest_file(write("a.csv", "x"))
        spools = {
            replay_outbox_id(bank, digest),
            replay_outbox_id(bank, digest),
            replay_outbox_id(other, digest),
            replay_outbox_id(bank, "0" * 64),
        }
        assert len(spools) == 3
        assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", spool) for spool in spools)

    def test_ids(self) -> None:
        """Ids lose case, diacritics and signs."""
        assert [slugify(text) for text in ("NO_SERVER", "Quầy số 3", "Đất đai", " A01 ")] == [
            "no-server", "quay-so-3", "dat-dai", "a01"]  # fmt: skip


class TestFiles:
    """What export files may look like."""

    @pytest.mark.parametrize("sign", ["\t", ",", ";", "|"])
    def test_auto_delimiter_and_bom(self, write: Write, sign: str) -> None:
        """The delimiter is found, a byte order mark is no part of a name."""
        header = ["no", "service", "taken"]
        rows = [header, ["7", "Đất đai", "2026-01-05T08:00:00"], [" 8 ", "tax", "2026-01-05 08:01Z"]]
        path = write("a.csv", "\ufeff" + "\r\n".join(sign.join(row) for row in rows) + "\r\n\r\n")
        log = read_log(load_mapping(hall(write, ISSUED)), path, queue_prefix="hall-")
        events = list(log.events())
        assert [(e.n, e.queue, e.service) for e in events if isinstance(e, TicketIssued)] == [
            (1, "hall-land", "land"), (2, "hall-tax", "tax")]  # fmt: skip
        assert events[0].t == int(datetime(2026, 1, 5, 1, 0, tzinfo=UTC).timestamp() * 1000)
        assert events[1].t == int(datetime(2026, 1, 5, 8, 1, tzinfo=UTC).timestamp() * 1000)
        assert (log.row_count, log.event_count, log.first_t) == (2, 2, events[0].t)

    def test_other_encoding(self, write: Write, tmp_path: Path) -> None:
        """A mapping may name the encoding; otherwise the remedy says that texts in an old one must be converted."""
        path = tmp_path / "a.csv"
        path.write_text("no,service,taken\n1,Tra cứu,2026-01-05T08:00\n".replace("ứ", "ư"), "cp1258")
        services = SERVICES.replace('"DD"', '"Tra cưu"')
        mapping = load_mapping(hall(write, ISSUED, services=services, keys=ROOT_KEYS + 'encoding = "cp1258"\n'))
        assert read_log(mapping, path).event_count == 1
        (fault,) = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert (fault.line, fault.field) == (2, "encoding")
        assert "TCVN3" in fault.remedy

    def test_undecodable_line(self, write: Write, tmp_path: Path) -> None:
        """A wrong byte is found by its line."""
        path = tmp_path / "a.csv"
        path.write_bytes(b"no,service,taken\n1,DD,2026-01-05T08:00\n2,\xff,2026-01-05T08:00\n")
        (fault,) = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert (fault.line, fault.field) == (3, "encoding")

    def test_unknown_columns(self, write: Write) -> None:
        """All columns that are not there are listed, and the header is shown."""
        path = write("a.csv", "no,dienst\n1,DD\n")
        found = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert [(f.file, f.line, f.field) for f in found] == [(str(path), 1, "service"), (str(path), 1, "taken")]
        assert "no, dienst" in found[0].remedy

    def test_twin_columns(self, write: Write) -> None:
        """A column that stands twice is refused only when it is read."""
        path = write("a.csv", "no,no,service,taken,x,x\n")
        (fault,) = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert (fault.field, fault.problem) == ("no", "is twice in the header")

    def test_bad_rows(self, write: Write) -> None:
        """Every bad row is named with line and column before any event is sent."""
        rows = ["no,service,taken", "1,DD,soon", ",DD,2026-01-05T08:00", "3,XX,2026-01-05T08:00", "4,DD",
                '"5\n5",DD,2026-01-05T08:00', "6,DD,1960-01-01T00:00", "7,DD,"]  # fmt: skip
        path = write("a.csv", "\n".join(rows))
        found = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert [(f.line, f.field) for f in found] == [
            (2, "taken"), (3, "no"), (4, "service"), (5, "row"), (8, "taken"), (9, "taken")]  # fmt: skip
        assert all(f.file == str(path) and f.remedy for f in found)

    def test_many_faults_of_one_kind(self, write: Write) -> None:
        """The first three of each kind are listed, with the count of the others."""
        path = write("a.csv", "no,service,taken\n" + "1,DD,soon\n" * 50 + "2,XX,2026-01-05T08:00\n")
        found = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert [(f.line, f.field) for f in found] == [(2, "taken"), (3, "taken"), (4, "taken"), (52, "service")]
        assert "(47 more like this)" in found[2].problem

    def test_open_quote(self, write: Write) -> None:
        """A quotation mark that never ends does not swallow the file in silence."""
        path = write("a.csv", 'no,service,taken\n1,DD,2026-01-05T08:00\n"2,DD,2026-01-05T08:00\n')
        (fault,) = faults_of(lambda: read_log(load_mapping(hall(write, ISSUED)), path))
        assert (fault.line, fault.field) == (3, "row")

    def test_empty_and_missing(self, write: Write, tmp_path: Path) -> None:
        """No header and no file are faults as well."""
        mapping = load_mapping(hall(write, ISSUED))
        assert faults_of(lambda: read_log(mapping, write("a.csv", "")))[0].field == "header"
        assert faults_of(lambda: read_log(mapping, tmp_path / "none.csv"))[0].field == "file"

    def test_changed_between(self, write: Write) -> None:
        """A file that goes bad after the check raises, and the bad row yields nothing."""
        path = write("a.csv", "no,service,taken\n1,DD,2026-01-05T08:00\n2,DD,2026-01-05T08:00\n")
        log = read_log(load_mapping(hall(write, ISSUED)), path)
        write("a.csv", "no,service,taken\n1,DD,2026-01-05T08:00\n2,DD,soon\n")
        events = log.events()
        assert next(events).n == 1
        assert faults_of(lambda: next(events))[0].line == 3

    def test_skip_and_no_event(self, write: Write) -> None:
        """Rows nobody wants are counted, and numbers have no gaps."""
        skip = '\n[[skip]]\nlabel = "test"\nwhen = { column = "no", in = ["0", "x"] }\n'
        body = skip + ISSUED.replace('issued"', 'issued"\nwhen = { column = "taken", not_empty = true }')
        path = write("a.csv", "no,service,taken\n0,DD,\n1,DD,2026-01-05T08:00\n2,DD,\nx,,\n3,DD,2026-01-05T08:00\n")
        log = read_log(load_mapping(hall(write, body)), path)
        assert log.skipped_rows == {"test": 2, "no-event": 1}
        assert [e.n for e in log.events()] == [1, 2]


class TestExpressions:
    """Each way to write a field."""

    def one(self, write: Write, fields: str, header: str, row: str) -> Event:
        """Return the event of one row."""
        body = '\n[[event]]\ntype = "ticket.finished"\nticket = { ticket = ["no"] }\nservice = { const = "tax" }\n'
        path = write("a.csv", f"no;{header}\n1;{row}\n")
        (event,) = read_log(load_mapping(hall(write, body + fields)), path).events()
        return event

    def test_all_kinds(self, write: Write) -> None:
        """Units, patterns, Unix times, sums and optional cells."""
        fields = """
counter = { column = "desk", format = "id" }
entered = { column = "a", format = "unix_s" }
called = { column = "b", format = "%d/%m/%Y %H:%M" }
started = { column = "c", format = "iso", optional = true }
t = { column = "b", format = "%d/%m/%Y %H:%M", plus_s = ["d", "e"] }
held_ms = { column = "f", unit = "min" }
outcome = { map = "g", values = { x = "refused" }, default = "done" }
queue = { column = "q" }
"""
        header = "desk;a;b;c;d;e;f;g;q"
        event = self.one(write, fields, header, "Quầy 3;1767574800.5;05/01/2026 08:10;;60;0.5;1.5;x;vip")
        assert isinstance(event, TicketFinished)
        called = int(datetime(2026, 1, 5, 1, 10, tzinfo=UTC).timestamp() * 1000)
        assert (event.counter, event.entered, event.called, event.started) == ("quay-3", 1767574800500, called, None)
        assert (event.t, event.held_ms, event.outcome, event.queue) == (called + 60_500, 90_000, "refused", "vip")

    @pytest.mark.parametrize(
        ("field", "cell", "problem"),
        [
            ('{ column = "x", format = "int" }', "1.5", "cannot be read as int"),
            ('{ column = "x", unit = "s" }', "nan", "no number"),
            ('{ column = "x", unit = "s" }', "-1", "no valid held_ms"),
            ('{ date = "x", time = "x" }', "2026-13-01", "no time of day"),
            ('{ map = "x", values = { "1" = 5 } }', "2", "not among the values"),
        ],
    )
    def test_bad_cells(self, write: Write, field: str, cell: str, problem: str) -> None:
        """A cell that does not fit is named with its column."""
        times = "".join(f"{name} = {{ const = 1 }}\n" for name in ("entered", "called", "t"))
        fields = f'counter = {{ const = "a" }}\n{times}held_ms = {field}\n'
        (fault,) = faults_of(lambda: self.one(write, fields, "x", cell))
        assert (fault.line, fault.field) == (2, "x")
        assert problem in fault.problem

    @pytest.mark.parametrize(
        ("day", "clock", "problem"),
        [
            ("1999-02-30", "8:00", "no date"),
            ("1999-02-01", "8:60", "no time of day"),
            ("1999-02-01", "25:00", "no time of day"),
        ],
    )
    def test_bad_clocks(self, write: Write, day: str, clock: str, problem: str) -> None:
        """Dates and clocks that do not exist are refused."""
        body = ISSUED.replace('column = "taken", format = "iso"', 'date = "day", time = "clock"')
        path = write("a.csv", f"no,service,day,clock\n1,DD,{day},{clock}\n")
        (fault,) = faults_of(lambda: read_log(load_mapping(hall(write, body)), path))
        assert problem in fault.problem


class TestMappingFaults:
    """Mappings that cannot work."""

    def test_missing(self) -> None:
        """The shipped names are offered."""
        (fault,) = faults_of(lambda: load_mapping("bank-2000"))
        assert "bank-1999" in fault.remedy

    def test_syntax(self, write: Write) -> None:
        """A syntax error has its line."""
        (fault,) = faults_of(lambda: load_mapping(str(write("m.toml", 'name = "x"\nzone = \n'))))
        assert (fault.line, fault.field) == (2, "TOML")

    def test_a_reserved_service(self, write: Write) -> None:
        services = SERVICES.replace("[services]", '[services]\nundeclared = { vi = "Khác", en = "Other" }')
        (fault,) = faults_of(lambda: load_mapping(hall(write, ISSUED, services=services)))
        assert (fault.field, fault.remedy) == ("services.undeclared", "choose another id")

    def test_all_at_once(self, write: Write) -> None:
        """Every fault is listed with its line and a way out."""
        text = """\
name = "Hall 1"
title = { vi = "Sảnh" }
zone = "Asia/Saigon2"
delimiter = "tab"
encoding = "utf-99"
colour = "red"
[services]
land = { vi = "Đất", en = "Land", values = ["A"] }
tax = { vi = "Thuế", en = "Tax", values = ["A"] }
[hours]
mon = ["07:31-11:30"]
someday = ["07:30-11:30"]
[[skip]]
label = "x"
when = { column = "a", equals = "b", in = ["c"] }
[common]
nonsense = { const = 1 }
[[event]]
type = "ticket.served"
[[event]]
type = "ticket.issued"
when = [{ columm = "a", equals = "b" }]
ticket = { column = "no" }
service = { service = "s" }
t = { column = "t", format = "isoo" }
channel = { const = "fax" }
colour = { const = "red" }
class = "normal"
[[event]]
type = "dossier.received"
service = { ticket = ["s"] }
t = { date = "d" }
channel = { map = "c", values = { A = "online", B = "fax" }, default = "unknown" }
"""
        found = faults_of(lambda: load_mapping(str(write("m.toml", text))))
        places = {(f.line, f.field) for f in found}
        assert places == {
            (1, "name"), (2, "title.en"), (3, "zone"), (4, "delimiter"), (5, "encoding"), (6, "colour"),
            (9, "services.tax"), (11, "hours.mon"), (12, "hours.someday"), (15, "skip.when"), (17, "common.nonsense"),
            (19, "event.type"), (22, "event.when"), (23, "event.ticket"), (25, "event.t"), (26, "event.channel"),
            (27, "event.colour"), (28, "event.class"), (29, "event.dossier"), (31, "event.service"), (32, "event.t"),
            (33, "event.channel"),
        }  # fmt: skip
        assert all(f.file.endswith("m.toml") and f.problem and f.remedy for f in found)

    def test_empty(self, write: Write) -> None:
        """What is missing is said."""
        found = {f.field for f in faults_of(lambda: load_mapping(str(write("m.toml", ""))))}
        assert {"name", "zone", "services", "event"} <= found

    @pytest.mark.parametrize(
        "text",
        [
            "title = 3", "services = 3", "event = 3", "event = [3]", "common = []", "hours = 1", "name = 3", "zone = 3",
            'zone = "../x"', "delimiter = 3", "encoding = 3", "skip = 1", "services.a = 3",
            'services.a = { vi = "a", en = "b", values = 3 }', "[[event]]\ntype = 3", "[[event]]\ntype = []",
            '[[skip]]\nlabel = "x"', "[[skip]]\nwhen = 3", "[hours]\nmon = 3", "[common]\nt = 3",
        ],
    )  # fmt: skip
    def test_wrong_shapes(self, write: Write, text: str) -> None:
        """No shape of TOML makes it crash."""
        assert faults_of(lambda: load_mapping(str(write("m.toml", text))))

    def test_common_fault_points_at_common(self, write: Write) -> None:
        """A fault of a shared field is listed once, where it stands."""
        body = '\n[common]\nticket = { column = "no" }\n' + 2 * ISSUED.replace('ticket = { ticket = ["no"] }\n', "")
        (fault,) = faults_of(lambda: load_mapping(hall(write, body)))
        assert fault.field == "common.ticket"
        assert (ROOT_KEYS + SERVICES + body).splitlines()[fault.line - 1].startswith("ticket = ")

    def test_hours(self, write: Write) -> None:
        """Named days have their hours, others are closed."""
        mapping = load_mapping(hall(write, '\n[hours]\nmon = ["07:30-11:30", "13:00-24:00"]\n' + ISSUED))
        assert mapping.hours[0] == ((time(7, 30), time(11, 30)), (time(13), time(0)))
        assert mapping.hours[1:] == ((),) * 6

    def test_outbox_events_cannot_be_imported(self, write: Write) -> None:
        """The completeness accounts are not open to imports."""
        body = '\n[[event]]\ntype = "outbox.refused"\nt = { const = 1 }\nrow = { const = 1 }\n'
        (fault,) = faults_of(lambda: load_mapping(hall(write, body)))
        assert fault.field == "event.type"

    def test_lines(self) -> None:
        """Dotted headers and repeated tables are found."""
        text = "a = 1\n[x.y]\nb = 2\n[[z]]\nb = 3\n[[z]]\n\nb = 4\n"
        places = [("", 0, "a"), ("x", 0, "y"), ("z", 0, "b"), ("z", 1, "b"), ("z", 1, "q"), ("", 0, "x"), ("", 0, "q")]
        assert [find_line(text, *place) for place in places] == [1, 2, 5, 8, 6, 1, 1]


def test_a_time_that_several_events_of_a_row_have_is_read_once_for_each_row(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ISSUED.replace('t = { column = "taken", format = "iso" }', 't = { date = "day", time = "clock" }')
    called = text.replace("ticket.issued", "ticket.called").replace(
        "\nt = {", '\ncounter = { const = "1" }\nentered = {'
    )
    called += 't = { date = "day", time = "clock", plus_s = "waited" }\n'
    path = write("hall.toml", ROOT_KEYS + SERVICES + text + called)
    reads: list[str] = []
    read = cell_parsing.parse_time_of_day

    def count_read(row: RowCells, column: str, form: str) -> float:
        reads.append(row[column])
        return read(row, column, form)

    monkeypatch.setattr(expressions, "parse_time_of_day", count_read)
    to_events = build_row_mapper(str(path))
    first, second = (
        to_events({"no": no, "service": "tax", "day": "2024-05-06", "clock": clock, "waited": "60"})
        for no, clock in (("1", "8:00"), ("2", "9:00"))
    )
    assert reads == ["8:00", "8:00", "9:00", "9:00"], "once for entered, once for the time with what is added"
    assert [event.t - first[0].t for event in (*first, *second)] == [0, 60_000, 3_600_000, 3_660_000]
    assert {event.ticket for event in first}.isdisjoint(event.ticket for event in second)  # type: ignore[attr-defined]


def test_the_constants_true_and_1_are_not_shared() -> None:
    for const in (1, True):
        expression = parse_expression({"const": const})
        assert isinstance(expression, ConstExpression)
        assert expression.const is const
