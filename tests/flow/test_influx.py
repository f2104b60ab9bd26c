"""The bank's call log of February 1999 out of a real InfluxDB: the same figures as out of SQLite, every time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from telemetry import wiring
from telemetry.core.calendar.windows import BucketWidth, Window
from tests.flow.test_replay import ASKED, PERCENTILES_S, SERVICES, near
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.totals import Total
    from tests.flow.conftest import House

pytestmark = [pytest.mark.flow, pytest.mark.slow]
CENTRE = "replay-bank-1999"
EVENTS = 49_031
FEBRUARY = Window(917_733_600_000, 919_116_000_000)
BETWEEN = ("--from", ASKED["from"], "--to", ASKED["to"])
WIDTHS: tuple[BucketWidth, ...] = ("5m", "1h", "1d")


@pytest.fixture(scope="module")
def influx(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    server = InfluxServer(influxd_program, tmp_path_factory.mktemp("influxd")).start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def replayed(influx: InfluxServer, lasting_house: House, bank: str) -> House:
    """A house whose store is InfluxDB, with the bank's log in it."""
    house = lasting_house
    house.store_url = influx.store_url()
    house._env["MOTCUA_STORE_TOKEN"] = influx.token
    house.store = wiring.open_store(house.store_url, influx.token)
    _replay(house, bank)
    return house


def _replay(house: House, bank: str) -> dict[str, Any]:
    out = house.folder / "report.json"
    words = ("--mapping", "bank-1999", "--store", house.store_url, "--json", str(out))
    house.ends("replay", bank, *words, within=120)
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def _totals(house: House) -> list[Total]:
    return [total for width in WIDTHS for total in house.store.totals([CENTRE], width, FEBRUARY)]


@pytest.fixture(scope="module")
def api(replayed: House, influx: InfluxServer) -> str:
    """The root of an API whose token may read totals, and no raw event."""
    widest = replayed._env["MOTCUA_STORE_TOKEN"]
    replayed._env["MOTCUA_STORE_TOKEN"] = influx.make_token(read=("motcua-5m", "motcua-1h", "motcua-1d"))[1]
    try:
        return replayed.serve_api()
    finally:
        replayed._env["MOTCUA_STORE_TOKEN"] = widest


@pytest.fixture(scope="module")
def answer(api: str) -> dict[str, dict[str, Any]]:
    """The API's rows about the log, by service."""
    with urlopen(f"{api}/queues/history?{urlencode(ASKED)}", timeout=60) as response:
        return {row["service"]: row for row in json.load(response)["data"]}


@pytest.mark.parametrize(
    "path",
    [
        "/", "/metrics", "/api/v1/status", "/api/v1/centres", f"/api/v1/centres/{CENTRE}", "/api/v1/systems",
        "/api/v1/queues/now", "/api/v1/completeness",
        f"/api/v1/availability?scope=centre:{CENTRE}&from=1999-02-01T00:00:00Z&to=1999-02-02T00:00:00Z",
    ],
)  # fmt: skip
def test_no_page_and_no_scrape_needs_a_right_on_raw_events(api: str, path: str) -> None:
    with urlopen(api.removesuffix("/api/v1") + path, timeout=60) as response:
        assert (response.status, bool(response.read())) == (200, True)


def test_readiness_needs_no_right_on_raw_events_either(replayed: House, api: str) -> None:
    replayed.store.set_cursor(time.time_ns() // 1000)
    with urlopen(api.removesuffix("/api/v1") + "/readyz", timeout=60) as response:
        assert json.load(response)["rollup_age_s"] < 60


def test_the_banks_log_gives_the_published_numbers(answer: dict[str, dict[str, Any]]) -> None:
    rows = answer.values()
    assert sum(row["served"] for row in rows) == 14_405
    assert sum(row["abandoned"] for row in rows) == 2_908
    assert sum(row["wait"]["count"] for row in rows) == 14_405
    assert round(sum(row["wait"]["sum_s"] for row in rows) / 14_405, 3) == 34.405
    assert sum(row["within"]["count"] for row in rows) == 11_592
    found = {name: (row["served"], row["abandoned"], round(row["wait"]["mean_s"], 2)) for name, row in answer.items()}
    assert found == SERVICES
    for name, row in answer.items():
        assert tuple(row["wait"][p] for p in ("p50_s", "p90_s", "p95_s")) == near(PERCENTILES_S[name])


def test_every_event_is_there_once_and_accounted_for(replayed: House) -> None:
    assert replayed.store.count_events() == EVENTS
    (ranges,) = [r for r in replayed.store.row_ranges() if r.device.startswith(CENTRE)]
    assert sum(high - low + 1 for low, high in ranges.stored) == EVENTS


def test_replaying_again_and_folding_again_change_nothing(replayed: House, bank: str) -> None:
    before = _totals(replayed)
    assert len(before) > 3_000
    assert _replay(replayed, bank)["new"] == 0
    header, *rows = Path(bank).read_text().splitlines(keepends=True)
    part = replayed.folder / "part.tsv"
    part.write_text("".join([header, *reversed(rows[:2_000])]))
    assert _replay(replayed, str(part))["new"] == 0, "other bytes in another order: the same tickets"
    assert replayed.store.count_events() == EVENTS
    assert _totals(replayed) == before
    assert "folded again" in replayed.ends("rollup", "--rebuild", *BETWEEN, "--store", replayed.store_url)
    assert _totals(replayed) == before
