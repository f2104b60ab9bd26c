"""Every number of a page is the API's: tables cell by cell, stats one by one; what is not compared is listed with why.

A new number of a page without a line in `tests/page_figures.py`, and without a reason here, fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.live_row_types import SystemNow, VantageNow
from telemetry.store.sqlite import SqliteStore
from tests.page_examples import EXAMPLES, REFUSED, page_network
from tests.page_figure_list import FIGURES, NOT_COMPARED, STATS
from tests.page_figures import read
from tests.page_tables import PageFigures
from tests.program.network import MIDNIGHT, NOW, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.page_figures import Json, StatFigure, TableFigures
    from tests.program.network import Network

EMPTY_HISTORY: Json = {
    "issued": 0, "served": 0, "abandoned": 0, "no_show": 0, "wait": None, "within": None,
}  # fmt: skip
"""What a day without a row in the API is: the API leaves out what is empty, a page shows it as 0."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """The network of all pages, with figures in what it leaves empty: probes, a device's day, a published latency."""
    built = page_network(SqliteStore(tmp_path_factory.mktemp("figures") / "store.db"))
    _measure_portal(built)
    for mark in range(local(7), local(10), SLOT):
        built.total("device:vn83-a-kiosk1", "5m", mark, {"up_ms": SLOT - MINUTE, "down_ms": MINUTE})
    for hour in (7, 8, 9):
        lost = {"up_ms": HOUR - 12 * MINUTE, "down_ms": 12 * MINUTE}
        built.total("device:vn83-a-kiosk1", "1h", local(hour), lost | {f"open_{name}": ms for name, ms in lost.items()})
    for ago, down in ((1, 0), (3, 20), (7, 95)):
        lost = {"up_ms": 7 * HOUR, "down_ms": down * MINUTE}
        opened = {"open_up_ms": 8 * HOUR - down * MINUTE, "open_down_ms": down * MINUTE}
        for scope in ("centre:vn83-a", "device:vn83-a-kiosk1"):
            built.total(scope, "1d", MIDNIGHT - ago * DAY, lost | opened)
    built.time[0] += 2_000
    yield Answers(built)
    built.store.close()


def _measure_portal(net: Network) -> None:
    seen = (
        VantageNow(device="vn83-a-gateway1", state="up", at=NOW - MINUTE, latency_ms=118.4, tls_days=12.4),
        VantageNow(device="vn83-b-gateway1", state="down", at=NOW - MINUTE, error="timeout"),
    )
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    net.time[0] = NOW + 5_000
    for ago in range(1, 90):
        down = (ago % 9) * MINUTE
        day = {"up_ms": DAY - down, "down_ms": down, "open_up_ms": DAY - down, "open_down_ms": down}
        probes = {"probes": 1440, "probes_ok": 1440 - down // MINUTE, "latency_sum_ms": 1440 * 120}
        net.total("system:vn83-portal", "1d", MIDNIGHT - ago * DAY, day | probes | _latency(1440, 80 + ago))
    for ago in range(1, 35):
        lost = {"up_ms": HOUR - 2 * MINUTE, "down_ms": 2 * MINUTE, "open_up_ms": HOUR - 2 * MINUTE,
                "open_down_ms": 2 * MINUTE, "probes": 60, "probes_ok": 58}  # fmt: skip
        net.total("system:vn83-portal", "1h", local(10) - ago * HOUR, lost | _latency(58, 60 + 3 * ago))


def _latency(count: int, ms: int) -> dict[str, int]:
    return {"latency_sum_ms": count * ms, "latency_histogram": count * histogram_of(ms)}


class Answers:
    """The pages in English and the answers of the API, each asked for once: nothing changes."""

    def __init__(self, net: Network) -> None:
        self._client = net.client
        self._pages: dict[str, PageFigures] = {}
        self._data: dict[str, Any] = {}

    def page(self, address: str) -> PageFigures:
        """Return what a page shows."""
        if address not in self._pages:
            answer = self._client.get(address + ("&" if "?" in address else "?") + "lang=en")
            assert answer.status_code == 200, address
            self._pages[address] = PageFigures(answer.text)
        return self._pages[address]

    def data(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the data of an answer of the API."""
        if path not in self._data:
            answer = self._client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            self._data[path] = answer.json()["data"]
        return self._data[path]


@pytest.mark.parametrize("figures", FIGURES, ids=lambda one: f"{one.address} {one.table}")
def test_a_table_of_a_page_has_the_figures_of_the_api_cell_by_cell(answers: Answers, figures: TableFigures) -> None:
    table = next(table for table in answers.page(figures.address).tables if table.name == figures.table)
    rows = figures.pick(answers.data(figures.api))
    by_name: dict[str, list[Json]] = {}
    for row in rows:
        by_name.setdefault(figures.name.write(read(row, figures.name.field)), []).append(row)
    names = [row[figures.place].text for row in table.rows]
    assert names
    if not figures.is_part:
        assert set(by_name) <= set(names), "a row of the API is missing"
    places = [column.key for column in table.columns]
    compared = 0
    for cells in table.rows:
        if len(cells) != len(places):  # a closed day is one cell over all columns
            continue
        found = by_name.get(cells[figures.place].text, [])
        row = found.pop(0) if found else EMPTY_HISTORY if figures.api.startswith("/api/v1/queues/history") else None
        if row is None:
            assert figures.is_part, cells[figures.place].text
            continue
        for column in figures.columns:
            assert cells[places.index(column.key)].text == column.write(read(row, column.field)), (
                cells[figures.place].text,
                column,
            )
            compared += 1
    assert compared


@pytest.mark.parametrize("figure", STATS, ids=lambda one: f"{one.address} {one.heading}")
def test_a_stat_of_a_page_is_the_figure_of_the_api(answers: Answers, figure: StatFigure) -> None:
    (stat,) = (stat for stat in answers.page(figure.address).stats if stat.heading == figure.heading)
    expected = figure.write(read(answers.data(figure.api), figure.field))
    assert stat.text == expected or stat.text.startswith(f"{expected} "), figure
    assert any(letter.isdigit() for letter in expected), "the example has no figure to compare"


def test_every_number_of_every_page_is_compared_or_listed_with_its_reason(answers: Answers) -> None:
    missing, unneeded = set[tuple[str, str, str]](), set(NOT_COMPARED)
    for route, addresses in EXAMPLES.items():
        for seen in _numbers_of(answers, addresses) - _compared(addresses):
            reasons = {key for key in NOT_COMPARED if _is_like(key, (route, *seen))}
            unneeded -= reasons
            missing |= set() if reasons else {(route, *seen)}
    assert (missing, unneeded) == (set(), set())


def _numbers_of(answers: Answers, addresses: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return (table, column) of each column of numbers but the first, and ("", heading) of each stat."""
    pages = [answers.page(address) for address in addresses if address not in REFUSED]
    return {("", stat.heading) for page in pages for stat in page.stats} | {
        (table.name.partition(", over")[0], column.key)
        for page in pages
        for table in page.tables
        for column in table.columns[1:]
        if column.is_number
    }


def _compared(addresses: tuple[str, ...]) -> set[tuple[str, str]]:
    stats = {("", figure.heading) for figure in STATS if figure.address in addresses}
    return stats | {(one.table, column.key) for one in FIGURES if one.address in addresses for column in one.columns}


def _is_like(pattern: tuple[str, ...], number: tuple[str, ...]) -> bool:
    return all(own in ("*", part) for own, part in zip(pattern, number, strict=True))
