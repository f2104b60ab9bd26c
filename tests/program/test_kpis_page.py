"""The page of indicators: every row in both languages, "no source" in words, targets with gap, pace and chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api.pages.charts.plots import PATH_HEIGHT, PATH_WIDTH, ChartPoint, path_chart
from telemetry import inventory as declared_inventory
from telemetry.core.kpi.catalogue import INDICATORS
from tests.program.network import Network, busy, inventory, network
from tests.program.test_kpis_api import put_november, put_october
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two months of figures under the sample's targets, published counts and indices."""
    sample = declared_inventory.load(declared_inventory.default_path())
    world = replace(
        inventory(), targets=sample.targets, procedures=sample.procedures, indices=sample.indices
    )  # fmt: skip
    shown = busy(network(tmp_path_factory.mktemp("kpis"), world))
    put_october(shown)
    put_november(shown)
    yield shown
    shown.store.close()


def row(html: str, ident: str) -> str:
    """Return the text of a row with its levels, up to the next indicator's row."""
    return unescape(html.split(f'<tr id="{ident}">')[1].split("<tr id=", maxsplit=1)[0])


@pytest.mark.parametrize(("path", "no_source"), [("/kpis?lang=vi", "Chưa có nguồn"), ("/kpis?lang=en", "No source")])
def test_every_indicator_has_a_row_and_one_without_a_source_says_so(net: Network, path: str, no_source: str) -> None:
    html = page(net, path)
    for ident, indicator in INDICATORS.items():
        text = row(html, ident)
        assert indicator.name_en in text or indicator.name_vi in text
        assert indicator.formula in text
    answer = net.client.get("/api/v1/kpis", params={"limit": 500}).json()["data"]
    assert {r["id"] for r in answer if r["state"] == "no_source"} == {
        ident for ident in INDICATORS if no_source in row(html, ident).split("data-label")[1]
    }


@pytest.mark.parametrize("path", ["/kpis", "/kpis?lang=en", "/kpis?from=2026-10-01&to=2026-10-31"])
def test_the_page_is_sound_html_that_is_reached_from_all_pages(net: Network, path: str) -> None:
    outline = Outline(page(net, path))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert all(address.startswith(("/", "#")) for address in outline.fetched)
    assert 'href="/kpis"' in page(net, "/")


def test_a_row_has_value_numerator_denominator_target_gap_and_pace(net: Network) -> None:
    text = row(page(net, "/kpis?lang=en"), "DG-01")
    assert "6 / 21" in text
    assert "28.6%" in text
    commune = text.split("</span>Communes<")[1]
    assert "6 / 20" in commune
    assert "95% by 31 Dec 2025" in commune
    assert "Behind the path" in commune
    assert "−65 percentage points" in commune
    assert "<title" in commune
    assert "the last target (95%) is reached on" in commune
    assert "leads only to 95% by 31 Dec 2025, 5 points short of 100%" in commune


def test_the_communes_miss_the_goal_at_the_least_gain_in_vietnamese_too(net: Network) -> None:
    text = row(page(net, "/kpis?lang=vi"), "DG-01")
    assert "Nếu chỉ tăng tối thiểu 20 điểm phần trăm mỗi năm thì đến 31/12/2025 chỉ đạt 95%, còn thiếu 5 điểm" in text


def test_an_index_shows_its_year_and_rank(net: Network) -> None:
    text = row(page(net, "/kpis?lang=en"), "X-01")
    assert ("2020: rank 44 of 63" in text, "20 by 31 Dec 2025" in text, "+24" in text) == (True, True, True)


def test_the_published_figures_of_2021_are_checked(net: Network) -> None:
    text = unescape(page(net, "/kpis?lang=vi"))
    for sum_and_share in ("1.481/1.758 = 84,24%", "809/1.758 = 46,02%", "912/1.481 = 61,58%"):
        assert sum_and_share in text
    assert "số đã công bố là 85%" in text


def test_a_wrong_period_is_refused_with_its_remedy(net: Network) -> None:
    answer = net.client.get("/kpis?from=yesterday", headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "yesterday" in answer.text


def test_a_path_stays_inside_its_picture_and_a_single_target_is_a_line() -> None:
    path = [ChartPoint(date(2021, 12, 31), 0.15), ChartPoint(date(2025, 12, 31), 0.95)]
    chart = path_chart(path, [ChartPoint(date(2026, 3, 1), 1.2)], date(2026, 3, 1))
    points = [tuple(map(float, pair.split(","))) for pair in chart.path.split()]
    for x, y in [*points, *chart.dots]:
        assert 0 <= x <= PATH_WIDTH
        assert 0 <= y <= PATH_HEIGHT
    assert len(path_chart(path[:1], [], date(2021, 12, 31)).path.split()) == 3
    assert path_chart([], [], date(2021, 12, 31)).path == ""


def test_seven_hundred_centres_have_the_year_so_far_at_any_day_of_it(tmp_path: Path) -> None:
    declared = inventory()
    centres = {f"vn83-{n:03}": replace(declared.centres["vn83-a"], id=f"vn83-{n:03}") for n in range(700)}
    many = network(tmp_path, replace(declared, centres=centres, devices={}))
    paths = ("/kpis", "/kpis/DG-01", "/api/v1/kpis", "/api/v1/kpis/score-766?period=year")
    answers = {path: many.client.get(path).status_code for path in paths}
    decade = many.client.get("/api/v1/kpis?from=2016-11-30T00:00:00Z&to=2026-11-23T00:00:00Z")
    many.store.close()
    assert (answers, decade.status_code) == (dict.fromkeys(paths, 200), 422)
