"""The bank's call log of February 1999 through agent, broker, ingest and rollup: exact, and the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry.core.totals import add
from telemetry.core.windows import Window

if TYPE_CHECKING:
    from tests.flow.conftest import House

pytestmark = [pytest.mark.flow, pytest.mark.slow]
FEBRUARY = Window(917_733_600_000, 919_116_000_000)
SERVICES = {
    "in": (114, 31, 93.01),
    "ne": (1165, 78, 38.36),
    "nw": (2916, 1343, 51.36),
    "pe": (82, 19, 52.60),
    "ps": (9707, 1413, 28.81),
    "tt": (421, 24, 15.60),
}
"""Served, abandoned and mean wait in s, counted from the file by hand (`shared/data/README.md`)."""


def sums(house: House) -> dict[str, dict[str, int]]:
    """The stored day totals per service."""
    rows = house.store.totals(["replay-bank-1999"], "1d", FEBRUARY, "desk")
    scopes = {row.scope for row in rows}
    return {scope.rpartition(":")[2]: add(row.sums for row in rows if row.scope == scope) for scope in scopes}


def test_the_banks_log_gives_the_published_numbers(replayed: House) -> None:
    total = add(sums(replayed).values())
    assert (total["served"], total["abandoned"]) == (14_405, 2_908)
    assert total["wait_sum_ms"] / total["called"] == pytest.approx(34_405, abs=0.5)
    assert sum(total[f"wait_le_{bound}"] for bound in (10, 30, 60)) == 11_592


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_its_own_numbers(service: str, replayed: House) -> None:
    served, abandoned, mean_s = SERVICES[service]
    found = sums(replayed)[service]
    assert (found["served"], found["abandoned"]) == (served, abandoned)
    assert found["wait_sum_ms"] / found["called"] / 1000 == pytest.approx(mean_s, abs=0.005)


def test_rows_that_stand_for_nothing_are_said(replayed: House) -> None:
    report = json.loads(Path(replayed.folder, "1.json").read_text())
    assert report["skipped"] == {"phantom": 143}
    assert "143 phantom rows skipped" in replayed.roles[0].text()


def test_replaying_a_second_time_changes_nothing(replayed: House, bank: str) -> None:
    before, count = replayed.totals(), replayed.store.count()
    out = f"{replayed.folder}/2.json"
    replayed.ends("replay", bank, "--mapping", "bank-1999", "--store", replayed.store_url, "--json", out)
    assert json.loads(Path(out).read_text())["new"] == 0
    assert replayed.store.count() == count
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
    assert house.store.count() == report["events"] == report["new"]
