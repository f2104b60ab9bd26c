"""Which indicator misses its path and by how much: the summary of /kpis, its filters, and one page an indicator."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api.pages.charts.plots import ChartPoint
from api.pages.charts.trajectory import HEIGHT, WIDTH, lay_out_trajectory
from telemetry import inventory as declared_inventory
from telemetry.core.inventory import Commitment
from telemetry.core.kpi.catalogue import INDICATORS
from tests.program.network import Network, busy, inventory, network
from tests.program.test_kpis_api import put_november, put_october
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two months of figures under the sample's targets, and one commitment."""
    sample = declared_inventory.load(declared_inventory.default_path())
    signed = Commitment("83", "", "DG-01", "commune", date(2026, 12, 31), 0.9, sample=True)
    world = replace(inventory(), targets=sample.targets, procedures=sample.procedures, indices=sample.indices)
    shown = busy(network(tmp_path_factory.mktemp("targets"), replace(world, commitments=(signed,))))
    put_october(shown)
    put_november(shown)
    yield shown
    shown.store.close()


def rows_of(net: Network, path: str) -> list[dict[str, str]]:
    answer = net.client.get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_summary_begins_with_what_is_missed_and_has_the_apis_gaps(net: Network) -> None:
    rows = rows_of(net, "/kpis?lang=en&table=targets")
    verdicts = [r["verdict"] for r in rows]
    order = ["Behind the path", "On the path", "Cannot be judged yet"]
    assert verdicts == sorted(verdicts, key=order.index)
    answer = net.client.get("/api/v1/kpis", params={"limit": 500}).json()["data"]
    targets = [t for r in answer for t in r["trajectories"]]
    assert len(rows) == len(targets)
    assert sum(v == order[0] for v in verdicts) == sum(t["on_track"] is False for t in targets)
    gaps = sorted(round(t["gap"], 6) for t in targets if t["gap"] is not None)
    assert sorted(float(r["gap"]) for r in rows if r["gap"]) == pytest.approx(gaps)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/kpis?lang=en", (
            "targets (each level counted) are behind their path; furthest behind:", "percentage points", "Last target",
        )),
        ("/kpis?lang=vi", (
            "mức chỉ tiêu (tính riêng từng cấp) chậm so với lộ trình; chậm nhất:", "điểm phần trăm",
            "Đạt mức chỉ tiêu cuối vào",
        )),
        ("/kpis/DG-01?lang=en", (
            "DG-01 Digitised results", "6 / 21", "28.6%", "95% by 31 Dec 2025",
            "−65 percentage points", "Behind the path",
            "November 2026", "Signed commitments",
        )),
        ("/kpis/DG-01?lang=vi", ("−65 điểm phần trăm", "Mốc chỉ tiêu", "11/2026", "Theo cấp hành chính")),
        ("/kpis/Q-04b?lang=vi", ("1,5 phút – Đạt lộ trình", "−13,5 phút", "Đã đạt mức chỉ tiêu cuối cùng (15 phút)")),
    ],
)  # fmt: skip
def test_pages_say_it_in_words_and_are_sound(net: Network, path: str, words: tuple[str, ...]) -> None:
    html = page(net, path)
    text = unescape(html)
    assert [word for word in words if word not in text] == []
    outline = Outline(html)
    assert (len(outline.ids), outline.inline) == (len(set(outline.ids)), [])
    assert all(net.client.get(a).status_code == 200 for a in outline.fetched if a.startswith(("/kpis/", "/static/")))


def test_every_indicator_has_a_page(net: Network) -> None:
    for ident in INDICATORS:
        assert f"<h1>{ident} " in page(net, f"/kpis/{ident}?lang=en")
    assert net.client.get("/kpis/XX-99", headers={"accept": "text/html"}).status_code == 404


@pytest.mark.parametrize("wanted", ["verdict=missed", "strand=modernisation", "level=commune", "verdict=nonsense"])
def test_the_summary_is_narrowed(net: Network, wanted: str) -> None:
    every, rows = rows_of(net, "/kpis?lang=en&table=targets"), rows_of(net, f"/kpis?lang=en&table=targets&{wanted}")
    expected = {
        "verdict=missed": [r for r in every if r["verdict"] == "Behind the path"],
        "level=commune": [r for r in every if r["level"] == "Communes"],
        "verdict=nonsense": every,
    }
    assert rows
    assert rows == expected.get(wanted, rows)


def test_the_months_of_a_page_are_the_apis(net: Network) -> None:
    rows = rows_of(net, "/kpis/DG-01?lang=en&table=months")
    params = {"bucket": "1mo", "from": "2026-10-01T00:00:00+07:00", "to": "2026-12-01T00:00:00+07:00"}
    answer = net.client.get("/api/v1/kpis/DG-01/values", params=params).json()["data"]
    assert [(r["month"], int(r["numerator"]), int(r["denominator"])) for r in rows[1::-1]] == [
        (b["from"][:10], b["numerator"], b["denominator"]) for b in answer
    ]


def test_commitments_are_a_table_with_files(net: Network) -> None:
    rows = rows_of(net, "/kpis/commitments?lang=en&table=commitments")
    answer = net.client.get("/api/v1/kpis/commitments").json()["data"]
    assert [(r["promise"], r["by"]) for r in rows] == [("0.9", "2026-12-31")]
    assert [r["state"] for r in rows] == [r["status"] for r in answer]
    assert rows == rows_of(net, "/kpis/DG-01?lang=en&table=commitments")


def test_a_path_is_laid_out_between_its_first_and_last_day() -> None:
    path = [ChartPoint(date(2021, 12, 31), 0.2), ChartPoint(date(2025, 12, 31), 1.0)]
    chart = lay_out_trajectory(path, [ChartPoint(date(2023, 6, 30), 0.5)], date(2024, 1, 1), 1.0)
    assert [(m.x, m.y) for m in chart.milestones] == [(0, HEIGHT * 0.8), (WIDTH, 0)]
    assert chart.measured[0].y == HEIGHT / 2
    assert [d.day.year for d in chart.days] == [2022, 2023, 2024, 2025]
    assert chart.days[2].x == chart.today
    alone = lay_out_trajectory([], [], date(2024, 5, 1))
    assert (alone.path, alone.days[0].day) == ("", date(2024, 5, 1))
