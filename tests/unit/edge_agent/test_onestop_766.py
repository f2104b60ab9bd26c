"""The shipped mapping for exports of one-stop systems: its sample equals a recount, in every form; no person leaves."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.expressions import date_part
from edge_agent.mapping.importer import check_log, read_log
from edge_agent.sources.dossier_feed import DossierFeed
from edge_agent.sources.dossier_file import DossierFileSource
from telemetry.core.protocol.events import DossierReceived, DossierResolved, Event, PaymentResult
from telemetry.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox

SAMPLE = Path(__file__).resolve().parents[3] / "docs/examples/onestop-766-sample.csv"
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CHANNELS = {
    "Trực tuyến": "online",
    "Ứng dụng di động": "mobile",
    "Trực tiếp": "direct",
    "Bưu chính công ích": "post",
    "Thư điện tử": "email",
}
PERSONAL_COLUMNS = ("Họ tên người nộp", "Số điện thoại", "Số CCCD", "Địa chỉ")


def sample_rows() -> list[dict[str, str]]:
    return list(csv.DictReader(SAMPLE.read_text("utf-8-sig").splitlines(), delimiter=";"))


def counted_rows() -> list[dict[str, str]]:
    return [row for row in sample_rows() if row["Trạng thái"] not in {"Đã rút", "Trả lại"}]


def events_of(path: Path) -> list[Event]:
    return list(read_log(load_mapping("onestop-766"), path).events())


def without_ids(events: list[Event]) -> list[Event]:
    """Leave out what depends on the file's bytes."""
    return [msgspec.structs.replace(e, dossier="x" * 26) if hasattr(e, "dossier") else e for e in events]


def instant(text: str, *, is_due: bool = False) -> datetime:
    if " " in text:
        return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=HANOI)
    day = datetime.strptime(text, "%d/%m/%Y").replace(tzinfo=HANOI)
    return day + timedelta(days=1, milliseconds=-1) if is_due else day


def test_the_sample_has_200_rows_that_are_marked_as_made_up() -> None:
    rows = sample_rows()
    assert len(rows) == 200
    assert all(r["Mã hồ sơ"].startswith("MAU-") and r["Họ tên người nộp"].startswith("NGƯỜI MẪU") for r in rows)
    assert {(r["Số điện thoại"], r["Số CCCD"]) for r in rows} == {("0000000000", "000000000000")}


def test_the_events_equal_a_recount_of_the_rows() -> None:
    rows, events = counted_rows(), events_of(SAMPLE)
    received = [e for e in events if isinstance(e, DossierReceived)]
    resolved = [e for e in events if isinstance(e, DossierResolved)]
    done = [row for row in rows if row["Ngày trả kết quả"]]
    assert Counter(e.channel for e in received) == Counter(CHANNELS[row["Hình thức nộp"]] for row in rows)
    assert Counter(e.level for e in received) == Counter(
        {"Cấp tỉnh": "province", "Cấp huyện": "district", "Cấp xã": "commune"}[row["Cấp thực hiện"]] for row in rows
    )
    assert Counter(e.procedure for e in received) == Counter(row["Mã thủ tục"].replace(".", "-") for row in rows)
    on_time = sum(instant(row["Ngày trả kết quả"]) <= instant(row["Ngày hẹn trả"], is_due=True) for row in done)
    assert (len(resolved), sum(e.due is not None and e.t <= e.due for e in resolved)) == (len(done), on_time)
    assert sum(e.digital for e in resolved) == sum(row["Kết quả điện tử"] == "Có" for row in done)
    assert Counter(e.fee for e in resolved) == Counter(
        {"Trực tuyến": "online", "Tại quầy": "desk", "Không thu phí": "none"}[r["Hình thức thanh toán"]] for r in done
    )
    assert sum("papers_digitised" in (e.digitisation or ()) for e in resolved) == sum(
        row["Số hóa giấy tờ"] == "Có" for row in done
    )
    assert sum(isinstance(e, PaymentResult) for e in events) == sum(
        row["Hình thức thanh toán"] == "Trực tuyến" for row in rows
    )


def to_cp1258(text: str) -> bytes:
    """Encode as Windows does: vowels with their own marks, tones as combining signs."""
    out = bytearray()
    for sign in unicodedata.normalize("NFC", text):
        base, tone = sign, ""
        parts = unicodedata.normalize("NFD", sign)
        tones = [p for p in parts if p in "\u0300\u0301\u0303\u0309\u0323"]
        if tones and len(parts) > 1:
            tone = tones[0]
            base = unicodedata.normalize("NFC", parts.replace(tone, "", 1))
        out += base.encode("cp1258") + tone.encode("cp1258")
    return bytes(out)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: unicodedata.normalize("NFD", text).encode("utf-8"),
        lambda text: text.encode("utf-16"),
        to_cp1258,
    ],
    ids=["utf-8", "utf-8-mark", "decomposed", "utf-16", "cp1258"],
)
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_the_same_list_in_another_form_gives_the_same_events(
    tmp_path: Path, encode: Callable[[str], bytes], delimiter: str
) -> None:
    text = SAMPLE.read_text("utf-8-sig").replace(";", delimiter)
    (tmp_path / "a.csv").write_bytes(encode(text))
    assert without_ids(events_of(tmp_path / "a.csv")) == without_ids(events_of(SAMPLE))


def test_no_cell_of_a_personal_column_is_in_the_outbox(tmp_path: Path, outbox: Outbox) -> None:
    (tmp_path / "salt").write_text("a secret of this site")
    lines = SAMPLE.read_text("utf-8-sig").replace("0000000000;000000000000", "0913000123;083090000456")
    (tmp_path / "export.csv").write_text(lines, "utf-8-sig")
    now = round(datetime(2025, 10, 31, 9, tzinfo=HANOI).timestamp() * 1000)
    feed = DossierFeed("d", load_mapping("onestop-766"), tmp_path / "salt", lambda: now)
    source = DossierFileSource(tmp_path / "export.csv", feed)
    source.look(outbox, lambda: False)
    source.look(outbox, lambda: False)
    bodies = b"".join(row.body for row in outbox.rows_after(0, 10_000))
    assert bodies.count(b'"dossier.received"') == len(counted_rows())
    stored = bodies + (tmp_path / "o.db").read_bytes()
    cells = {row[column] for row in sample_rows() for column in (*PERSONAL_COLUMNS, "Mã hồ sơ", "Tên thủ tục")}
    assert [c for c in (*cells, "0913000123", "083090000456") if c.encode() in stored] == []
    assert set(load_mapping("onestop-766").columns).isdisjoint({*PERSONAL_COLUMNS, "Tên thủ tục", "STT"})


ONE_DOSSIER = """
name = "d"
title = {{ vi = "Hồ sơ", en = "Dossiers" }}
zone = "Asia/Ho_Chi_Minh"
[services]
land = {{ vi = "Đất đai", en = "Land" }}
[[event]]
type = "dossier.resolved"
dossier = {{ ticket = ["code"] }}
service = {{ const = "land" }}
received = {{ column = "from", format = "%d/%m/%Y %H:%M", date_only = "start" }}
due = {{ column = "due", {due} }}
t = {{ column = "to", format = "%d/%m/%Y %H:%M" }}
"""
DUE = 'format = "%d/%m/%Y %H:%M", date_only = "end"'


@pytest.mark.parametrize(
    ("due", "is_on_time"),
    [("05/10/2021", True), ("05/10/2021 17:00", False), ("05/10/2021 17:01", True), ("04/10/2021", False)],
)
def test_a_due_date_without_a_time_is_the_end_of_its_day(tmp_path: Path, due: str, is_on_time: bool) -> None:
    (tmp_path / "m.toml").write_text(ONE_DOSSIER.format(due=DUE), "utf-8")
    (tmp_path / "d.csv").write_text(f"code;from;due;to\nA;01/10/2021;{due};05/10/2021 17:01\n")
    (event,) = read_log(load_mapping(str(tmp_path / "m.toml")), tmp_path / "d.csv").events()
    assert isinstance(event, DossierResolved)
    assert event.due is not None
    assert (event.t <= event.due) is is_on_time
    assert event.received == round(datetime(2021, 10, 1, tzinfo=HANOI).timestamp() * 1000)


def test_a_date_without_a_time_is_a_fault_where_the_mapping_does_not_say_its_meaning(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(ONE_DOSSIER.format(due=DUE + ", optional = true"), "utf-8")
    (tmp_path / "d.csv").write_text(
        "code;from;due;to\nA;01/10/2021;31/02/2021;05/10/2021 08:00\nB;01/10/2021;;05/10/2021\n"
    )
    log = check_log(load_mapping(str(tmp_path / "m.toml")), tmp_path / "d.csv")
    assert sorted(fault.field for fault in log.check.faults.first_faults()) == ["due", "to"]


@pytest.mark.parametrize(
    "due", ['format = "%d/%m/%Y", date_only = "end"', 'date_only = "end"', 'format = "iso", date_only = "noon"']
)
def test_date_only_needs_a_format_with_date_and_time(tmp_path: Path, due: str) -> None:
    (tmp_path / "m.toml").write_text(ONE_DOSSIER.format(due=due), "utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(str(tmp_path / "m.toml"))
    assert {fault.field for fault in caught.value.faults} == {"event.due"}
    assert (date_part("%Y-%m-%d %H:%M"), date_part("%d/%m/%Y"), date_part("unix_s")) == ("%Y-%m-%d", "", "")


def test_a_digitisation_step_that_does_not_exist_is_a_fault_of_the_mapping(tmp_path: Path) -> None:
    text = ONE_DOSSIER.format(due=DUE) + 'digitisation = { flags = { "scan" = "scanned" }, yes = ["x"] }\n'
    (tmp_path / "m.toml").write_text(text, "utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(str(tmp_path / "m.toml"))
    assert {fault.field for fault in caught.value.faults} == {"event.digitisation"}
