"""The open datasets over a real store: index, CSV, JSON Lines, windows, and what is left out."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.dataset_files import DatasetWriter
from api.heavy_queries import MAX_STREAMS, RETRY_AFTER_S, HeavyQueryGate, ServerBusy
from telemetry.core.inventory import AdministrativeUnit, Commitment, OpenDataTerms, Target
from telemetry.core.open_data.catalogue import DATASETS, QUEUES
from telemetry.queries.buckets import QueryCost
from telemetry.queries.open_data import rows as dataset_rows
from telemetry.queries.open_data.rows import DatasetRow
from tests.program.network import MIDNIGHT, Network, busy, inventory, network, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx import Response

DAY = 86_400_000
YESTERDAY, OCTOBER_5 = MIDNIGHT - DAY, MIDNIGHT - 49 * DAY
NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01"}
OCTOBER = {"window": "2026-10"}
LEVEL = {"level_good_900": 1, "level_bad_900": 0}


def tickets(n: int, **other: int) -> dict[str, int]:
    """Return the sums of `n` tickets, all issued, called after 60 s and served within the level."""
    return {**waits(*[60] * n), **{name: count * n for name, count in LEVEL.items()}, **other}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Fill two days of queues and a month of dossiers; a target and a commitment are declared."""
    declared = inventory()
    world = replace(
        declared,
        targets=(*declared.targets, Target("DG-01-commune", "Số hóa", "Digitised", 0.5, "ratio", date(2026, 12, 31))),
        commitments=(
            Commitment("829", "", "DG-04", "", date(2026, 12, 31), 0.9, date(2026, 1, 2), "=1+1", sample=True),
        ),
        units={"829": AdministrativeUnit("829", "district", "83", "Thành phố Bến Tre", date(2020, 6, 1))},
        open_data=OpenDataTerms("CC-BY-4.0", "Tỉnh Bến Tre"),
    )
    built = busy(network(tmp_path_factory.mktemp("datasets"), world))
    built.total("desk:vn83-a:land", "1d", YESTERDAY, tickets(30, served=24, abandoned=6))
    built.total("desk:vn83-a:tax", "1d", YESTERDAY, tickets(3))
    built.total("desk:vn83-a:land", "1d", YESTERDAY - DAY, tickets(40))
    built.total("desk:vn83-a:tax", "1d", YESTERDAY - DAY, tickets(12))
    built.total("desk:vn83-b:land", "1d", YESTERDAY, tickets(9))
    built.total("desk:vn83-a:land", "1d", OCTOBER_5, tickets(60))
    built.total("desk:vn83-b:land", "1d", OCTOBER_5, tickets(3))
    built.total("centre:vn83-a", "1d", YESTERDAY - DAY, {"up_ms": DAY // 2, "open_up_ms": 7 * 3_600_000})
    built.total("administration:vn83-a:commune", "1d", OCTOBER_5, {
        "received_online": 12, "received_direct": 30, "received_mobile": 2, "resolved_online": 20,
        "resolved_on_time": 12, "resolved_late": 8, "resolved_digital": 10,
    })  # fmt: skip
    built.total("administration:vn83-b:commune", "1d", OCTOBER_5, {"received_online": 9, "received_direct": 20})
    for name, count in (("1.001", 20), ("1.002", 3), ("1.003", 21)):
        built.total(f"procedure:vn83-a:{name}", "1d", OCTOBER_5, {"received": count, "received_online": 0})
    yield built
    built.store.close()


def get(net: Network, name: str, **params: str | int) -> Response:
    answer: Response = net.client.get(f"/api/v1/datasets/{name}", params=params)
    return answer


def table(net: Network, dataset: str, **params: str | int) -> list[dict[str, str]]:
    answer = get(net, f"{dataset}.csv", **params)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def lines(net: Network, dataset: str, **params: str | int) -> list[dict[str, Any]]:
    answer = get(net, f"{dataset}.jsonl", **params)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


# --- index ------------------------------------------------------------------------------------------


def test_the_index_describes_every_dataset_and_every_column_of_its_files(net: Network) -> None:
    entries = net.client.get("/api/v1/datasets").json()["data"]
    assert [entry["id"] for entry in entries] == list(DATASETS)
    for entry in entries:
        assert (entry["licence"], entry["attribution"]) == ("CC-BY-4.0", "Tỉnh Bến Tre")
        assert all(column["text"] for column in entry["columns"])
        for file in entry["files"]:
            answer = net.client.get(file["href"])
            assert answer.headers["content-type"] == file["media_type"]
            assert 'rel="describedby"' in answer.headers["link"]
        header = net.client.get(entry["files"][0]["href"]).text.partition("\r\n")[0]
        assert header == ",".join(column["name"] for column in entry["columns"])
        ratios = [column for column in entry["columns"] if column["unit"] == "ratio" and column["formula"]]
        assert all(column["numerator"] and column["denominator"] and column["source"] for column in ratios)


def test_what_is_covered_ends_with_the_last_whole_period(net: Network) -> None:
    entries = {entry["id"]: entry for entry in net.client.get("/api/v1/datasets").json()["data"]}
    assert entries["queues"]["covered_to"] == "2026-11-23T00:00:00+07:00"
    assert entries["kpis"]["covered_to"] == "2026-11-01T00:00:00+07:00"
    assert entries["targets"]["covered_to"] is entries["targets"]["last_changed"] is None
    assert entries["targets"]["parameters"] == []


@pytest.mark.parametrize(("lang", "words"), [("vi", "Giấy phép: CC-BY-4.0"), ("en", "CSV for spreadsheets (Excel)")])
def test_people_find_the_files_on_a_page_that_the_indicators_link(net: Network, lang: str, words: str) -> None:
    page = net.client.get(f"/datasets?lang={lang}").text
    assert words in page
    assert all(f'href="/api/v1/datasets/{dataset}.{form}"' in page for dataset in DATASETS for form in ("csv", "jsonl"))
    assert all('href="/datasets"' in net.client.get(path).text for path in ("/kpis", "/", "/centres/vn83-a"))


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", DATASETS)
def test_both_forms_have_the_same_rows(net: Network, dataset: str) -> None:
    window = OCTOBER if DATASETS[dataset].period == "month" else {}
    cells, records = table(net, dataset, **window), lines(net, dataset, **window)
    assert len(cells) == len(records) > 0
    for row, record in zip(cells, records, strict=True):
        assert list(row) == list(record)
        for name, cell in row.items():
            value = record[name]
            if name == "suppressed":
                assert cell.split() == list(value)
                assert set(value.values()) <= {"small_count"}
                assert all(record[hidden] is None and not row[hidden] for hidden in value)
            elif isinstance(value, bool):
                assert cell == ("yes" if value else "no")
            elif isinstance(value, str):
                assert cell in {value, f"'{value}"}
            else:
                assert cell == ("" if value is None else str(value))


def test_a_csv_is_rfc_4180_and_starts_with_a_mark_only_for_spreadsheets(net: Network) -> None:
    plain, spreadsheet = get(net, "queues.csv", **NOVEMBER), get(net, "queues.csv", bom=1, **NOVEMBER)
    assert spreadsheet.content == "\ufeff".encode() + plain.content
    assert plain.content.count(b"\n") == plain.content.count(b"\r\n") == len(table(net, "queues", **NOVEMBER)) + 1
    name = 'attachment; filename="motcua_queues_2026-11-01_2026-11-22.csv"'
    assert plain.headers["content-disposition"] == name
    one = get(net, "queues.csv", centre="vn83-a", **NOVEMBER)
    assert "motcua_queues_vn83-a_2026-11-01_2026-11-22.csv" in one.headers["content-disposition"]


def test_a_text_that_a_spreadsheet_would_compute_is_marked_in_a_csv_alone(net: Network) -> None:
    assert table(net, "commitments")[0]["document"] == "'=1+1"
    assert lines(net, "commitments")[0]["document"] == "=1+1"
    decomposed = unicodedata.normalize("NFD", "Một cửa")
    for start in "=+-@\t\r":
        row = DatasetRow({"centre": f"{start}x", "centre_name_vi": decomposed, "issued": -3})
        body = DatasetWriter(QUEUES, "csv").body([row]).decode()
        assert next(csv.reader([body]))[3:5] == [f"'{start}x", "Một cửa"]
        assert ",-3," in body
        assert json.loads(DatasetWriter(QUEUES, "jsonl").body([row]))["centre_name_vi"] == "Một cửa"


def test_a_file_that_has_not_changed_is_not_sent_again_and_head_has_its_headers(net: Network) -> None:
    answer = get(net, "queues.csv")
    assert answer.headers["cache-control"] == "no-cache"
    again = net.client.get("/api/v1/datasets/queues.csv", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = net.client.head("/api/v1/datasets/queues.csv")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-disposition"] == answer.headers["content-disposition"]


@pytest.mark.parametrize("dataset", ["availability", "queues", "dossiers"])
def test_a_file_is_the_same_in_one_part_and_in_many(
    net: Network, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = {"from": "2026-10-01", "to": "2026-11-23"} if DATASETS[dataset].period == "day" else {}
    whole = get(net, f"{dataset}.csv", **window).content
    monkeypatch.setattr(dataset_rows, "ROWS_PER_PART", 1)
    assert get(net, f"{dataset}.csv", **window).content == whole


# --- figures ----------------------------------------------------------------------------------------


def test_queues_have_each_service_and_the_sum_of_all(net: Network) -> None:
    rows = table(net, "queues", **{"from": "2026-11-21", "to": "2026-11-22"})
    assert [(row["centre"], row["service"], row["issued"]) for row in rows] == [
        ("vn83-a", "*", "52"), ("vn83-a", "land", "40"), ("vn83-a", "tax", "12"),
    ]  # fmt: skip
    total = rows[0]
    assert (total["from"], total["to"]) == ("2026-11-21T00:00:00+07:00", "2026-11-22T00:00:00+07:00")
    assert (total["wait_mean_s"], total["service_mean_s"], total["service_level_15min"]) == ("60.0", "60.0", "1.0")
    assert (total["service_name_vi"], total["settled"], total["suppressed"]) == ("Tất cả lĩnh vực", "no", "")


def test_a_small_service_and_its_complement_are_left_out_with_what_they_are_made_of(net: Network) -> None:
    everything, land, tax = table(net, "queues", centre="vn83-a", **{"from": "2026-11-22", "to": "2026-11-23"})
    assert everything["issued"] == "33"
    assert (land["issued"], tax["issued"]) == ("", "")
    assert set(land["suppressed"].split()) == {
        "issued", "served", "abandoned", "no_show", "transferred", "closed_eod", "waits", "service_times",
        "decided_15min", "within_15min", "service_level_15min",
    }  # fmt: skip
    assert land["wait_mean_s"] == "60.0"
    assert set(tax["suppressed"].split()) - set(land["suppressed"].split()) == {
        "wait_mean_s", "wait_p90_s", "service_mean_s",
    }  # fmt: skip


def test_availability_is_of_centres_and_systems_and_can_be_computed_from_its_row(net: Network) -> None:
    rows = table(net, "availability", **{"from": "2026-11-20", "to": "2026-11-22"})
    assert [row["scope"] for row in rows] == ["centre:vn83-a", "centre:vn83-b", "system:vn83-portal"] * 2
    for row in rows:
        seconds = {name: int(row[name]) for name in ("open_s", "up_s", "down_s", "unknown_s")}
        assert seconds["open_s"] == seconds["up_s"] + seconds["down_s"] + seconds["unknown_s"]
        known = seconds["up_s"] + seconds["down_s"]
        assert row["availability"] == (str(round(seconds["up_s"] / known, 6)) if known else "")
    assert {row["scope"] for row in table(net, "availability", centre="vn83-b")} == {"centre:vn83-b"}


def test_dossiers_leave_out_a_small_channel_with_another_and_the_share_that_tells_it(net: Network) -> None:
    first, second = lines(net, "dossiers", **OCTOBER)
    assert (first["month"], first["dossier_level"], first["received"]) == ("2026-10", "commune", 44)
    hidden = set(first["suppressed"])
    assert {"received_mobile", "online_share"} < hidden <= {
        "received_mobile", "online_share", "received_online", "received_direct",
    }  # fmt: skip
    assert (first["resolved"], first["on_time_share"], first["digital_share"]) == (20, 0.6, 0.5)
    assert (second["received"], second["received_online"], second["suppressed"]) == (29, 9, {})


def test_procedures_leave_out_a_small_one_with_another(net: Network) -> None:
    rows = lines(net, "procedures", **OCTOBER)
    hidden = [row["procedure"] for row in rows if row["suppressed"]]
    assert "1.002" in hidden
    assert len(hidden) == 2
    assert all(
        set(row["suppressed"]) >= {"received", "received_online", "resolved"} for row in rows if row["suppressed"]
    )


def test_indicators_have_formula_numerator_denominator_and_source(net: Network) -> None:
    rows = {(row["kpi"], row["level"]): row for row in lines(net, "kpis", **OCTOBER)}
    row = rows["DG-01", "commune"]
    assert (row["numerator"], row["denominator"], row["value"], row["source"]) == (10, 20, 0.5, "events")
    assert row["numerator_figures"] == "resolved_digital"
    assert row["formula"]
    assert {"A-12", "A-14", "X-01", "DG-20"}.isdisjoint({kpi for kpi, _ in rows})


def test_an_indicator_that_would_tell_what_another_dataset_leaves_out_is_left_out(net: Network) -> None:
    """In October one day of one centre has 3 tickets, which `queues` leaves out: the month's 63 less 60 would tell."""
    issued = {row["centre"]: row["issued"] for row in lines(net, "queues", **OCTOBER) if row["service"] == "*"}
    assert issued == {"vn83-a": 60, "vn83-b": None}
    rows = {(row["kpi"], row["level"]): row for row in lines(net, "kpis", **OCTOBER)}
    for level in (None, "commune"):
        assert (rows["Q-01", level]["value"], rows["Q-01", level]["suppressed"]) == (
            None, {"value": "small_count", "numerator": "small_count"},
        )  # fmt: skip
    assert rows["DG-13", None]["value"] is None, "of 23 online dossiers 2 came from a mobile application"


def test_targets_and_commitments_are_as_declared(net: Network) -> None:
    target = {row["kpi"]: row for row in lines(net, "targets")}["DG-01"]
    assert (target["level"], target["value"], target["by"]) == ("commune", 0.5, "2026-12-31")
    commitment = lines(net, "commitments")[0]
    assert (commitment["unit_name"], commitment["value"], commitment["sample"]) == ("Thành phố Bến Tre", 0.9, True)


# --- windows ----------------------------------------------------------------------------------------


def test_rows_are_whole_ended_days_whatever_the_window_so_that_nothing_can_be_subtracted(net: Network) -> None:
    wide = table(net, "queues", **NOVEMBER)
    assert max(row["date"] for row in wide) == "2026-11-22"
    narrow = table(net, "queues", **{"from": "2026-11-20T15:00:00", "to": "2026-11-23T09:30:00"})
    assert narrow == [row for row in wide if row["date"] >= "2026-11-21"]
    assert table(net, "kpis", **{"from": "2026-09-15", "to": "2026-11-20"}) == table(net, "kpis", **OCTOBER)


@pytest.mark.parametrize(
    ("name", "params", "status", "remedy"),
    [
        ("queues.csv", {"from": "2026-11-22", "to": "2026-11-22T12:00:00"}, 422, "local midnights"),
        ("queues.csv", {"from": "2026-11-23", "to": "2026-11-24"}, 422, "has ended"),
        ("kpis.csv", {"from": "2026-11-01", "to": "2026-11-20"}, 422, "first days of months"),
        ("queues.jsonl", {"from": "2020-01-01", "to": "2026-01-01"}, 422, "at most 366 days"),
        ("dossiers.csv", {"from": "2016-01-01", "to": "2026-01-01"}, 422, "at most 36 months"),
        ("queues.csv", {"window": "soon"}, 422, "28d"),
        ("queues.csv", {"centre": "vn83-x"}, 404, "vn83-x"),
        ("people.csv", {}, 404, "people"),
        ("queues.csv", {"centers": "vn83-a"}, 422, "did you mean centre?"),
        ("queues.csv", {"bom": 2}, 422, "less than or equal to 1"),
        ("queues.jsonl", {"bom": 1}, 422, "unknown parameter"),
        ("kpis.csv", {"centre": "vn83-a"}, 422, "no such parameter"),
        ("targets.csv", {"from": "2026-11-01", "to": "2026-11-20"}, 422, "no such parameter"),
    ],
)
def test_what_cannot_be_answered_says_why(
    net: Network, name: str, params: dict[str, Any], status: int, remedy: str
) -> None:
    answer = get(net, name, **params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert remedy in answer.text


# --- the page that tells how ------------------------------------------------------------------------


def test_every_address_of_the_guide_answers_and_its_program_reads_the_file(
    net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs/how-to/publish-open-data.md").read_text(encoding="utf-8")
    guide = guide.replace("vn83-83", "vn83-a")
    addresses = re.findall(r'"\$api/([^"]*)"', guide)
    assert len(addresses) >= 6
    for address in addresses:
        answer = net.client.get(f"/api/v1/{address}")
        assert answer.status_code == 200, address
        if name := re.search(r'filename="(.*)"', answer.headers.get("content-disposition", "")):
            (tmp_path / name[1]).write_bytes(answer.content)
    (program,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # what readers copy
    assert capsys.readouterr().out == "2026-11-21 52 60.0 1.0\n2026-11-22 33 60.0 1.0\n"
    assert set(re.findall(r"^\| `([a-z]+)`", guide, re.MULTILINE)) | {"commitments"} == set(DATASETS)


# --- load -------------------------------------------------------------------------------------------


def test_more_files_than_there_are_places_are_refused_and_a_place_is_free_afterwards(net: Network) -> None:
    gate: HeavyQueryGate = net.client.app.state.heavy_queries  # type: ignore[attr-defined]
    closes = [gate.open_stream() for _ in range(MAX_STREAMS)]
    try:
        answer = get(net, "queues.csv")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, str(RETRY_AFTER_S))
    finally:
        for close in (*closes, closes[0]):  # a second call frees nothing
            close()
    for _ in range(2 * MAX_STREAMS):
        assert get(net, "queues.csv").status_code == 200
        assert net.client.head("/api/v1/datasets/queues.csv").status_code == 200
        assert get(net, "queues.csv", window="soon").status_code == 422
    with pytest.raises(ServerBusy):
        [gate.open_stream() for _ in range(MAX_STREAMS + 1)]


def test_a_costly_part_waits_for_its_turn_and_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, heavy = HeavyQueryGate(), QueryCost(1_000_000, 1)
    monkeypatch.setattr("api.heavy_queries.MAX_PART_WAIT_S", 0.01)
    with gate.admit(heavy):
        with gate.admit_part(QueryCost(1, 1)):
            pass
        with pytest.raises(ServerBusy), gate.admit_part(heavy):
            pytest.fail("two costly questions at once")
    with gate.admit_part(heavy):
        pass
