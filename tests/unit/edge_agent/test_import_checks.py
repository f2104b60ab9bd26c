"""Checks what an import finds in a file, which forms of file it reads, and how it recognises tickets again."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from edge_agent.mapping.document import ReplayMapping, load_mapping
from edge_agent.mapping.importer import ImportedLog, check_log, import_centre
from edge_agent.mapping.ticket_ledger import EarlierEvent, EarlierEvents
from motcua import replay_report
from telemetry.core.inventory import ALWAYS_OPEN
from telemetry.core.protocol.events import Event, TicketCalled, TicketIssued
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
name = "hall"
title = { vi = "Sảnh", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
"""
BODY = """
[services]
land = { vi = "Đất đai", en = "Land", values = ["Đất đai"] }
tax = { vi = "Thuế", en = "Tax" }
[common]
ticket = { ticket = ["day", "no"] }
service = { service = "service" }
counter = { const = "c1" }
entered = { date = "day", date_format = "%d/%m/%Y", time = "taken" }
called = { date = "day", date_format = "%d/%m/%Y", time = "taken", plus_s = "wait" }
[[event]]
type = "ticket.issued"
t = { date = "day", date_format = "%d/%m/%Y", time = "taken" }
[[event]]
type = "ticket.called"
when = { column = "status", in = ["done", "serving"] }
t = { date = "day", date_format = "%d/%m/%Y", time = "taken", plus_s = "wait" }
[[event]]
type = "ticket.finished"
when = { column = "status", equals = "done" }
t = { date = "day", date_format = "%d/%m/%Y", time = "taken", plus_s = ["wait", "served"] }
[[event]]
type = "ticket.abandoned"
when = { column = "status", equals = "left" }
t = { date = "day", date_format = "%d/%m/%Y", time = "taken", plus_s = "wait" }
"""
COLUMNS = "day,no,service,taken,wait,served,status\n"
ROWS = (
    "02/11/2026,1,Đất đai,7:31:00,60,300,done\n",
    "02/11/2026,2,tax,7:32:00,120,60,done\n",
    "02/11/2026,3,tax,7:40:00,30,0,left\n",
    "03/11/2026,1,Đất đai,7:30:00,60,0,serving\n",
)
NOW = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)


def mapping(folder: Path, *, keys: str = "", body: str = BODY) -> ReplayMapping:
    path = folder / "hall.toml"
    path.write_text(HEAD + keys + body, "utf-8")
    return load_mapping(str(path))


def checked(folder: Path, *rows: str, keys: str = "", body: str = BODY) -> ImportedLog:
    """A file of its own for each log: a log reads its file again when its events are asked for."""
    path = folder / f"log{len(list(folder.iterdir()))}.csv"
    path.write_text(COLUMNS + "".join(rows), "utf-8")
    return check_log(mapping(folder, keys=keys, body=body), path, now=NOW)


def as_stored(log: ImportedLog) -> list[EarlierEvent]:
    return [EarlierEvent(log.outbox_id, event) for event in log.events()]


class TestCheck:
    def test_counts(self, tmp_path: Path) -> None:
        report = replay_report.check_json(checked(tmp_path, *ROWS))
        assert report["rows"] == 4
        assert report["events_by_type"] == {
            "ticket.abandoned": 1, "ticket.called": 3, "ticket.finished": 2, "ticket.issued": 4}  # fmt: skip
        assert (report["tickets"], report["tickets_without_end"], report["fault_count"]) == (4, 1, 0)
        assert (report["from"], report["to"]) == ("2026-11-02T07:31:00+07:00", "2026-11-03T07:31:00+07:00")

    def test_texts_that_no_when_matches(self, tmp_path: Path) -> None:
        rows = ROWS[0].replace("done", "finished"), ROWS[1].replace("done", "finished"), ROWS[2].replace("left", "")
        report = replay_report.check_json(checked(tmp_path, *rows))
        assert report["unmatched"] == {"status": {"finished": 2, "": 1}}
        assert report["tickets_without_end"] == 3

    def test_unknown_services_and_the_first_faults_of_each_kind(self, tmp_path: Path) -> None:
        rows = [f"02/11/2026,{n},Hộ tịch,7:31:00,60,300,done\n" for n in range(5)]
        rows += ["31/02/2026,9,tax,7:31:00,60,1,done\n", "02/11/2026,10,tax,7:31:00,soon,1,done\n"]
        log = checked(tmp_path, *rows)
        report = replay_report.check_json(log)
        assert report["unknown_services"] == {"Hộ tịch": 5}
        (unknown, day, wait) = log.check.faults.kinds.values()
        assert [fault.line for fault in unknown.first] == [2, 3, 4]
        assert (day.column, wait.column, wait.first[0].line) == ("day", "wait", 8)
        assert "'soon'" in wait.first[0].problem
        assert report["faults"][2] == {  # type: ignore[index]
            "field": "wait", "problem": "is no number", "remedy": wait.remedy, "count": 1,
            "first": [{"file": log.path, "line": 8, "value": "soon"}],
        }  # fmt: skip
        assert log.check.faults.count == report["fault_count"] == 5 + 1 + 1
        with pytest.raises(MappingError, match="more like this"):
            log.raise_faults()

    def test_a_row_dated_ahead_is_a_fault_with_its_line(self, tmp_path: Path) -> None:
        log = checked(tmp_path, ROWS[0], "02/11/2027,2,tax,7:32:00,120,60,done\n")
        with pytest.raises(MappingError) as caught:
            log.raise_faults()
        assert {(fault.line, fault.field) for fault in caught.value.faults} == {(3, "day")}
        assert "'02/11/2027 7:32:00' lies in the future" in caught.value.faults[0].problem

    def test_swapped_day_and_month_are_warned_of(self, tmp_path: Path) -> None:
        (warning,) = checked(tmp_path, *ROWS).check.warnings()
        assert "day: day and month could be swapped" in warning
        assert "2026-11-02 … 2026-11-03" in warning
        assert "2026-02-11 … 2026-03-11" in warning
        assert checked(tmp_path, *ROWS, ROWS[0].replace("02/11", "13/11")).check.warnings() == []

    def test_the_end_of_the_evening_before_is_no_opening_hour(self, tmp_path: Path) -> None:
        times = [*["0:10:00"] * 6, *["0:40:00"] * 3, "4:00:00"]
        times += [f"{hour}:{minute:02}:00" for hour in range(7, 24) for minute in range(0, 60, 2)]
        rows = [f"02/11/2026,{n},tax,{taken},1,1,done\n" for n, taken in enumerate(times)]
        hours = checked(tmp_path, *rows).check.derive_hours()
        assert hours == (((time(7), time(0)),), (), (), (), (), (), ())

    def test_hours_are_derived_from_arrivals(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        centre = import_centre(log.mapping, log.check.derive_hours())
        half_hour = ((time(7, 30), time(8, 0)),)
        assert centre.derived_hours == (half_hour, half_hour, (), (), (), (), ())
        assert centre.hours == ALWAYS_OPEN, "totals do not depend on hours that the next import may widen"
        assert [service.name_vi for service in centre.own_services] == ["Đất đai", "Thuế"]
        declared = mapping(tmp_path, body=BODY + '[hours]\nmon = ["07:00-11:30"]\n')
        assert import_centre(declared, log.check.derive_hours()).hours[0] == ((time(7), time(11, 30)),)
        assert import_centre(declared, log.check.derive_hours()).derived_hours == ()


class TestRepeats:
    def test_rows_that_repeat_a_ticket_count_once(self, tmp_path: Path) -> None:
        log = checked(tmp_path, ROWS[0], ROWS[1], ROWS[0], ROWS[0])
        assert log.ledger is not None
        assert (log.event_count, log.ledger.repeated_rows, log.ledger.first_repeated) == (6, 2, [4, 5])

    def test_a_row_that_contradicts_an_earlier_one_is_reported_and_not_counted(self, tmp_path: Path) -> None:
        log = checked(tmp_path, ROWS[0], ROWS[0].replace(",60,", ",90,"), ROWS[2], ROWS[2].replace("left", "done"))
        assert log.ledger is not None
        assert (log.event_count, log.ledger.conflicting_rows, log.ledger.first_conflicting) == (5, 2, [3, 5])

    def test_each_row_may_be_a_ticket(self, tmp_path: Path) -> None:
        log = checked(tmp_path, ROWS[0], ROWS[0], keys='repeats = "each-row"\n')
        assert len({event.ticket for event in log.events() if isinstance(event, TicketIssued)}) == 2
        again = log.compare_with(EarlierEvents(as_stored(log)))
        assert list(again.events()) == []

    def test_a_ticket_may_have_several_events_of_a_type_at_different_times(self, tmp_path: Path) -> None:
        rows = (ROWS[3], ROWS[3].replace(",60,", ",90,"), ROWS[3])
        log = checked(tmp_path, *rows, keys='repeats = "by-time"\n')
        assert log.check.events_by_type == {"ticket.issued": 1, "ticket.called": 2}

    def test_a_second_import_of_the_file_has_nothing_new(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        again = log.compare_with(EarlierEvents(as_stored(log)))
        assert (list(again.events()), again.new_count, again.outbox_id) == ([], 0, log.outbox_id)
        assert again.ledger is not None
        assert again.ledger.stored_count == 10

    def test_the_rest_of_an_interrupted_import_keeps_its_numbers(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        whole = list(log.events())
        rest = log.compare_with(EarlierEvents(as_stored(log)[3:7]))
        assert list(rest.events()) == [*whole[:3], *whole[7:]]

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (1, 3, 2, 0)])
    def test_a_longer_copy_adds_only_the_new_tickets(self, tmp_path: Path, order: tuple[int, ...]) -> None:
        log = checked(tmp_path, *ROWS[:3])
        longer = checked(tmp_path, *(ROWS[index] for index in order)).compare_with(EarlierEvents(as_stored(log)))
        new = list(longer.events())
        assert [type(event) for event in new] == [TicketIssued, TicketCalled]
        assert [event.n for event in new] == [1, 2]
        assert longer.outbox_id != log.outbox_id

    def test_a_ticket_that_was_open_gets_its_end(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        ended = checked(tmp_path, *ROWS[:3], ROWS[3].replace(",60,0,serving", ",60,300,done"))
        (finished,) = ended.compare_with(EarlierEvents(as_stored(log))).events()
        called = next(e for e in log.events() if isinstance(e, TicketCalled) and e.t == getattr(finished, "called", 0))
        assert getattr(finished, "ticket", "") == called.ticket

    def test_a_corrected_row_changes_nothing_that_is_stored_and_is_reported(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        corrected = checked(tmp_path, ROWS[0].replace(",60,", ",90,"), *ROWS[1:3], ROWS[2].replace("left", "done"))
        after = corrected.compare_with(EarlierEvents(as_stored(log)))
        assert list(after.events()) == []
        assert after.ledger is not None
        assert (after.ledger.differing_rows, after.ledger.first_differing) == (1, [2])
        assert after.ledger.conflicting_rows == 1

    def test_numbers_taken_by_an_import_between_give_the_file_another_outbox(self, tmp_path: Path) -> None:
        first = checked(tmp_path, *ROWS[:2])
        longer = checked(tmp_path, *ROWS)
        stored = as_stored(first)
        part = longer.compare_with(EarlierEvents(stored))
        stored += [EarlierEvent(part.outbox_id, event) for event in list(part.events())[2:]]  # interrupted
        between = checked(tmp_path, ROWS[2]).compare_with(EarlierEvents(stored))
        stored += [EarlierEvent(between.outbox_id, event) for event in between.events()]
        rest = longer.compare_with(EarlierEvents(stored))
        stored += [EarlierEvent(rest.outbox_id, event) for event in rest.events()]
        assert rest.outbox_id != part.outbox_id
        assert len(stored) == 10
        assert len({(e.outbox_id, e.event.n) for e in stored}) == 10

    def test_events_without_a_ticket_are_recognised_by_their_content(self, tmp_path: Path) -> None:
        body = '[services]\ntax = { vi = "Thuế", en = "Tax" }\n[[event]]\ntype = "counter.state"\n'
        body += 'counter = { const = "c1" }\nstate = { const = "open" }\n'
        body += 't = { date = "day", date_format = "%d/%m/%Y", time = "taken" }\n'
        log = checked(tmp_path, ROWS[0], ROWS[0], ROWS[2], body=body)
        assert log.event_count == 3
        longer = checked(tmp_path, ROWS[2], ROWS[0], ROWS[0], ROWS[0], body=body)
        assert longer.compare_with(EarlierEvents(as_stored(log))).new_count == 1


class TestForms:
    def events(self, folder: Path, body: str = BODY, keys: str = "", name: str = "log.csv") -> list[Event]:
        log = check_log(mapping(folder, keys=keys, body=body), folder / name, now=NOW)
        log.raise_faults()
        return list(log.events())

    @pytest.mark.parametrize(
        ("cell", "unit", "keys", "wait_ms"),
        [
            ("90", "s", "", 90_000), ("0:01:30", "s", "", 90_000), ("39", "min", "", 2_340_000),
            ("0:39:00", "h:mm:ss", "", 2_340_000), ("1:02:03", "h:mm:ss", "", 3_723_000),
            ("12:30", "mm:ss", "", 750_000),
            ("95:30", "mm:ss", "", 5_730_000), ("1:30", "h:mm", "", 5_400_000), ("1.5", "min", "", 90_000),
            ("1@5", "min", 'decimal = ","\n', 90_000), ("1.234@5", "s", 'decimal = ","\n', 1_234_500),
        ],
    )  # fmt: skip
    def test_durations(self, tmp_path: Path, cell: str, unit: str, keys: str, wait_ms: int) -> None:
        body = f'{{ column = "wait", unit = "{unit}" }}'
        duration = BODY.replace('plus_s = "wait"', f"plus = {body}").replace(
            'plus_s = ["wait", "served"]', f"plus = [{body}]"
        )
        row = f"02/11/2026;1;tax;7:31:00;{cell.replace('@', ',')};0;done\n"
        (tmp_path / "log.csv").write_text(COLUMNS.replace(",", ";") + row, "utf-8")
        called = next(e for e in self.events(tmp_path, duration, keys) if isinstance(e, TicketCalled))
        assert called.t - called.entered == wait_ms

    @pytest.mark.parametrize(
        ("cell", "unit"), [("1:75", "mm:ss"), ("1,5", "min"), ("1e308", "min"), ("1:2:3", "h:mm:ss")]
    )
    def test_durations_that_cannot_be_read(self, tmp_path: Path, cell: str, unit: str) -> None:
        duration = BODY.replace('plus_s = "wait"', f'plus = {{ column = "wait", unit = "{unit}" }}')
        row = f"02/11/2026;1;tax;7:31:00;{cell};0;left\n"
        (tmp_path / "log.csv").write_text(COLUMNS.replace(",", ";") + row, "utf-8")
        with pytest.raises(MappingError, match="wait"):
            self.events(tmp_path, duration)

    def test_a_missing_start_is_derived_backwards(self, tmp_path: Path) -> None:
        body = BODY.replace(
            'time = "taken" }\ncalled', 'time = "taken", minus = { column = "wait", unit = "min" } }\ncalled'
        )
        body = body.replace(', plus_s = "wait"', "")
        (tmp_path / "log.csv").write_text(COLUMNS + "02/11/2026,1,tax,8:10:00,39,0,serving\n")
        called = next(e for e in self.events(tmp_path, body) if isinstance(e, TicketCalled))
        assert called.t - called.entered == 39 * 60_000

    @pytest.mark.parametrize(
        ("cell", "hour", "minute"),
        [("7:05 AM", 7, 5), ("12:15 AM", 0, 15), ("12:15 pm", 12, 15), ("1:30 CH", 13, 30), ("7:30 SA", 7, 30),
         ("1:30:00 p.m.", 13, 30)],
    )  # fmt: skip
    def test_twelve_hour_clocks(self, tmp_path: Path, cell: str, hour: int, minute: int) -> None:
        (tmp_path / "log.csv").write_text(f"{COLUMNS}02/11/2026,1,tax,{cell},0,0,left\n")
        taken = datetime.fromtimestamp(self.events(tmp_path)[0].t / 1000, tz=UTC) + timedelta(hours=7)
        assert (taken.hour, taken.minute) == (hour, minute)

    def test_vietnamese_half_days_in_a_pattern(self, tmp_path: Path) -> None:
        body = BODY.replace(
            'date = "day", date_format = "%d/%m/%Y", time = "taken"', 'column = "taken", format = "%d/%m/%Y %I:%M %p"'
        )
        (tmp_path / "log.csv").write_text(f"{COLUMNS}x,1,tax,02/11/2026 01:30 CH,0,0,left\n")
        assert self.events(tmp_path, body)[0].t == int(datetime(2026, 11, 2, 6, 30, tzinfo=UTC).timestamp() * 1000)

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_csv_as_excel_writes_it(self, tmp_path: Path, encoding: str) -> None:
        rows = (COLUMNS + "".join(ROWS)).replace(",", ";").replace("\n", "\r\n")
        (tmp_path / "log.csv").write_bytes(("sep=;\r\n" + rows).encode(encoding))
        assert len(self.events(tmp_path)) == 10
        (tmp_path / "log.csv").write_bytes(("sep=;\r\n" + rows.replace("7:40:00", "7:99")).encode(encoding))
        with pytest.raises(MappingError, match=r"log\.csv:5: taken"):
            self.events(tmp_path)

    def test_the_sign_between_cells_is_not_looked_for_inside_quotation_marks(self, tmp_path: Path) -> None:
        text = (COLUMNS + "".join(ROWS)).replace(",", ";").replace("status", 'status;"note (1, 2, 3, 4, 5, 6, 7, 8)"')
        (tmp_path / "log.csv").write_text(
            text.replace("done\n", "done;x\n")
            .replace("left\n", f"left;{'A' * 140_000}\n")
            .replace("serving\n", "serving;\n")
        )
        assert len(self.events(tmp_path)) == 10

    def test_decomposed_letters_are_the_same_text(self, tmp_path: Path) -> None:
        import unicodedata

        (tmp_path / "log.csv").write_text(unicodedata.normalize("NFD", COLUMNS + "".join(ROWS)), "utf-8")
        assert len(self.events(tmp_path)) == 10

    def test_json_lines(self, tmp_path: Path) -> None:
        lines = [dict(zip(COLUMNS.strip().split(","), row.strip().split(","), strict=True)) for row in ROWS]
        import json

        path = tmp_path / "log.jsonl"
        path.write_text(
            "\n".join(json.dumps({**line, "no": int(line["no"]), "extra": None}) for line in lines) + "\n\n"
        )
        assert len(self.events(tmp_path, name="log.jsonl")) == 10
        path.write_text(path.read_text() + "[1]\n")
        with pytest.raises(MappingError, match=r"log\.jsonl:6: row: is no JSON object"):
            self.events(tmp_path, name="log.jsonl")
        path.write_text('{"day": "02/11/2026"}\n')
        with pytest.raises(MappingError, match="is in no object of this file"):
            self.events(tmp_path, name="log.jsonl")

    def test_the_same_rows_in_another_form_of_file_are_the_same_tickets(self, tmp_path: Path) -> None:
        log = checked(tmp_path, *ROWS)
        path = tmp_path / "log.jsonl"
        import json

        rows = [dict(zip(COLUMNS.strip().split(","), row.strip().split(","), strict=True)) for row in ROWS]
        path.write_text("\n".join(json.dumps(row) for row in rows))
        other = check_log(log.mapping, path, now=NOW)
        assert other.compare_with(EarlierEvents(as_stored(log))).new_count == 0


class TestWorkbook:
    @pytest.fixture
    def book(self, tmp_path: Path) -> Path:
        try:
            import openpyxl
        except ImportError:
            hint = 'openpyxl is missing: pip install -e ".[server]"'
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(hint)
        workbook = openpyxl.Workbook()
        sheet: Any = workbook.active
        sheet.title = "Nhật ký"
        sheet.append(COLUMNS.strip().split(","))
        sheet.append([date(2026, 11, 2), 1, "Đất đai", time(7, 31), timedelta(minutes=1), 300, "done"])
        sheet.append([datetime(2026, 11, 2), 2, "tax", time(7, 32), timedelta(minutes=2), 60.0, "done"])  # noqa: DTZ001
        sheet.append([])
        sheet.append(["02/11/2026", "3", "tax", "7:40:00", "0:00:30", 0, "left"])
        sheet.append([date(2026, 11, 3), 1, "Đất đai", datetime(2026, 11, 3, 7, 30), "0:01:00", 0, "serving"])  # noqa: DTZ001
        workbook.create_sheet("other")
        workbook.save(tmp_path / "log.xlsx")
        return tmp_path / "log.xlsx"

    def test_a_workbook_has_the_same_tickets_as_the_text(self, tmp_path: Path, book: Path) -> None:
        text = checked(tmp_path, *ROWS)
        log = check_log(text.mapping, book, now=NOW)
        log.raise_faults()
        assert (log.row_count, log.event_count) == (4, 10)
        assert log.compare_with(EarlierEvents(as_stored(text))).new_count == 0

    def test_the_sheet_may_be_named(self, tmp_path: Path, book: Path) -> None:
        assert check_log(mapping(tmp_path, keys='sheet = "Nhật ký"\n'), book).row_count == 4
        with pytest.raises(MappingError, match="it has Nhật ký, other"):
            check_log(mapping(tmp_path, keys='sheet = "2026"\n'), book).raise_faults()

    def test_without_its_library_a_workbook_is_a_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # fmt: skip
        monkeypatch.setitem(sys.modules, "openpyxl", None)
        path = tmp_path / "log.xlsx"
        path.write_bytes(b"PK\x03\x04")
        with pytest.raises(MappingError, match=r'openpyxl is not installed; pip install "motcua\[server\]"'):
            check_log(mapping(tmp_path), path).raise_faults()

    def test_a_broken_workbook_is_a_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "log.xlsx"
        path.write_bytes(b"PK\x03\x04 no zip")
        with pytest.raises(MappingError, match=r"is no workbook|openpyxl is not installed"):
            check_log(mapping(tmp_path), path).raise_faults()
        path.write_bytes(b"\xd0\xcf\x11\xe0 old")
        with pytest.raises(MappingError, match=r"save it as \.xlsx"):
            check_log(mapping(tmp_path), path).raise_faults()


class TestFaultsOfRowsAndMappings:
    def test_a_cell_that_several_events_read_is_one_fault(self, tmp_path: Path) -> None:
        log = checked(
            tmp_path,
            "31/11/2026,1,Đất đai,7:31:00,60,300,done\n",
            "31/11/2026,2,Đất đai,7:31:00,60,300,done\n",
            "02/11/2026,3,Đât đai,7:32:00,60,300,done\n",
            "27/12/2026,4,tax,7:33:00,60,300,done\n",
        )
        faults = log.check.faults.first_faults()
        assert [(fault.line, fault.field) for fault in faults] == [
            (2, "day"), (3, "day"), (4, "service"), (5, "day")
        ]  # fmt: skip
        assert log.check.faults.count == 4
        assert log.check.unknown_services == {"Đât đai": 1}

    def test_negative_waits_and_service_times_are_a_warning(self, tmp_path: Path) -> None:
        """They enter no mean, so their maker must know of them; a wait of zero is a wait."""
        log = checked(
            tmp_path,
            "02/11/2026,1,tax,7:31:00,-60,300,done\n",
            "02/11/2026,2,tax,7:32:00,0,0,done\n",
            "02/11/2026,3,tax,7:33:00,60,-1,done\n",
        )
        waits, services = (text for text in log.check.warnings() if "negative" in text)
        assert waits.startswith("negative waits: 1 (first in line 2)")
        assert services.startswith("negative service times: 1 (first in line 4)")
        assert log.check.events_by_type["ticket.called"] == 3

    def test_the_last_line_says_how_many_faults_and_what_to_do(self, tmp_path: Path) -> None:
        console = Console(width=100, record=True, file=StringIO())
        replay_report.print_check(checked(tmp_path, "31/11/2026,1,tax,7:31:00,60,300,done\n"), console)
        text = console.export_text()
        assert (
            "1 fault of 1 kind: nothing is imported yet; correct these rows, or leave them out with a [[skip]]" in text
        )

    def test_a_header_cannot_be_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "log.csv"
        path.write_text(COLUMNS.replace("wait", "waited") + ROWS[0], "utf-8")
        console = Console(width=100, record=True, file=StringIO())
        replay_report.print_check(check_log(mapping(tmp_path), path, now=NOW), console)
        assert console.export_text().splitlines()[-1] == "1 fault of 1 kind: nothing is imported yet"

    def test_an_unknown_unit_or_key_of_a_service_is_named_with_those_that_exist(self, tmp_path: Path) -> None:
        body = BODY.replace('values = ["Đất đai"]', 'valeus = ["Đất đai"]')
        body = body.replace('plus_s = ["wait", "served"]', 'plus = { column = "wait", unit = "mins" }')
        with pytest.raises(MappingError) as raised:
            mapping(tmp_path, body=body)
        unit, key = sorted(raised.value.faults, key=lambda fault: fault.field)
        assert (unit.field, unit.remedy) == ("event.t", "use one of ms, s, min, h, day, h:mm:ss, mm:ss, h:mm")
        assert (key.field, key.line, key.remedy) == ("services.land.valeus", 6, "use en, values, vi")


def test_a_fault_of_no_line_names_none() -> None:
    """A setting or an option has no line to open."""
    fault = Fault("settings", 0, "MOTCUA_STORE", "not a store", "write one")
    assert str(fault) == "settings: MOTCUA_STORE: not a store; write one"
    assert str(replace(fault, line=3)) == "settings:3: MOTCUA_STORE: not a store; write one"
