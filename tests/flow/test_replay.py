"""The bank's call log of February 1999 through agent, broker, ingest and rollup: exact, and the same every time."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from motcua import system
from telemetry.queries.service import Queries

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory
    from tests.flow.conftest import House

pytestmark = [pytest.mark.flow, pytest.mark.slow]
ASKED = {
    "centre": "replay-bank-1999",
    "from": "1999-01-31T00:00:00+02:00",
    "to": "1999-02-16T00:00:00+02:00",
    "bucket": "total",
    "within": "60",
}
SERVICES = {
    "in": (114, 31, 93.01),
    "ne": (1165, 78, 38.36),
    "nw": (2916, 1343, 51.36),
    "pe": (82, 19, 52.60),
    "ps": (9707, 1413, 28.81),
    "tt": (421, 24, 15.60),
}
"""Served, abandoned and mean wait in s, counted from the file by hand (`shared/data/README.md`)."""


PERCENTILES_S = {
    "in": (31, 252, 348),
    "ne": (4, 118, 168),
    "nw": (3, 176, 248),
    "pe": (20, 160, 225),
    "ps": (0, 93, 137),
    "tt": (0, 60, 90),
}
"""The waits at ranks ⌈0.5 n⌉, ⌈0.9 n⌉ and ⌈0.95 n⌉ of the answered calls, counted from the file by hand."""


@pytest.fixture(scope="module")
def answer(replayed: House) -> dict[str, dict[str, Any]]:
    """The API's rows about the log, by service."""
    url = f"{replayed.serve_api()}/queues/history?{urlencode(ASKED)}"
    with urlopen(url, timeout=60) as response:
        rows = json.load(response)["data"]
    assert len(rows) == len(SERVICES)
    return {row["service"]: row for row in rows}


def test_the_banks_log_gives_the_published_numbers(answer: dict[str, dict[str, Any]]) -> None:
    rows = answer.values()
    assert sum(row["served"] for row in rows) == 14_405
    assert sum(row["abandoned"] for row in rows) == 2_908
    assert sum(row["wait"]["count"] for row in rows) == 14_405
    assert round(sum(row["wait"]["sum_s"] for row in rows) / 14_405, 3) == 34.405
    assert sum(row["within"]["count"] for row in rows) == 11_592


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_its_own_numbers(service: str, answer: dict[str, dict[str, Any]]) -> None:
    row = answer[service]
    assert (row["served"], row["abandoned"], round(row["wait"]["mean_s"], 2)) == SERVICES[service]
    assert tuple(row["wait"][name] for name in ("p50_s", "p90_s", "p95_s")) == near(PERCENTILES_S[service])


def near(exact: tuple[int, ...]) -> object:
    """Equal what is within the error that percentiles may have."""
    return pytest.approx(exact, rel=0.02, abs=0)


def test_rows_that_stand_for_nothing_are_said(replayed: House) -> None:
    report = json.loads(Path(replayed.folder, "1.json").read_text())
    assert report["skipped"] == {"phantom": 143}
    assert "143 phantom rows skipped" in replayed.roles[0].text()


def test_replaying_a_second_time_changes_nothing(replayed: House, bank: str) -> None:
    before, count = replayed.totals(), replayed.store.count_events()
    out = f"{replayed.folder}/2.json"
    replayed.ends("replay", bank, "--mapping", "bank-1999", "--store", replayed.store_url, "--json", out)
    assert json.loads(Path(out).read_text())["new"] == 0
    assert replayed.store.count_events() == count
    assert replayed.totals() == before


def test_folding_everything_again_changes_nothing(replayed: House) -> None:
    before = replayed.totals()
    said = replayed.ends("rollup", "--rebuild", "--store", replayed.store_url)
    assert "folded again" in said
    assert replayed.totals() == before
    assert len(before) > 7_000


def test_a_file_of_dossiers_comes_in_whole(house: House, data_dir: Path) -> None:
    file, out = data_dir / "dossiers" / "receipt-first-half.csv", house.folder / "report.json"
    words = ("--mapping", "coselog-receipt", "--store", house.store_url, "--json", str(out))
    house.ends("replay", str(file), *words)
    report = json.loads(out.read_text())
    assert (report["rows"], report["refused"], report["skipped"]) == (717, 0, {})
    assert house.store.count_events() == report["events"] == report["new"]


def recounted_days(log: str) -> dict[str, tuple[int, int, int]]:
    """Count the bank's log by itself: calls that entered a queue, those answered, their waits (s), by day."""
    days: dict[str, tuple[int, int, int]] = {}
    with Path(log).open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            if row["outcome"] not in {"AGENT", "HANG"}:
                continue
            began, entered = (_moment(row["date"], row[name]) for name in ("vru_entry", "vru_exit"))
            entered += timedelta(days=1) if began - entered > timedelta(hours=12) else timedelta()
            seconds = int(row["q_time"])
            called = entered + timedelta(seconds=seconds)
            _add(days, entered, (1, 0, 0))
            if row["outcome"] == "AGENT":
                _add(days, called, (0, 1, seconds))
    return days


def _moment(day: str, clock: str) -> datetime:
    return datetime.strptime(f"{day} {clock}", "%y%m%d %H:%M:%S").replace(tzinfo=UTC)


def _add(days: dict[str, tuple[int, int, int]], at: datetime, counts: tuple[int, int, int]) -> None:
    old = days.get(at.date().isoformat(), (0, 0, 0))
    days[at.date().isoformat()] = (old[0] + counts[0], old[1] + counts[1], old[2] + counts[2])


def test_the_days_of_an_imported_log_are_those_of_an_independent_count(
    replayed: House, world: Inventory, bank: str
) -> None:
    expected = recounted_days(bank)
    app = create_app(Queries(replayed.store, lambda: world, system.wall_ms))
    answer = TestClient(app).get("/centres/replay-bank-1999/history.csv?from=1999-02-01&to=1999-02-14&table=time")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [row["from"][:10] for row in rows] == [f"1999-02-{day:02d}" for day in range(1, 15)]
    for row in rows:
        issued, called, seconds = expected[row["from"][:10]]
        assert (int(row["issued"]), int(row["wait_count"])) == (issued, called)
        assert float(row["wait_mean_s"]) == pytest.approx(seconds / called, abs=1e-3)
