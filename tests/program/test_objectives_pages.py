"""The pages of the objectives: the API's figures in both languages, worst first, filters, what spent a budget."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from api.pages.charts.budget import HEIGHT, BudgetDay, budget_chart
from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale
from api.pages.objectives.texts import duration_words, objective_words, place_href, place_name
from telemetry.core.calendar.windows import MINUTE
from telemetry.core.inventory import Objective
from tests.program.network import NOW, ZONE, Network, busy
from tests.program.promises import MONTH, OPEN, PORTAL, WAIT, judged, promised, promising
from tests.program.test_data_quality import district_world
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.pages.frame.catalogues import LanguageCode

EN, VI = (PageLocale(lang, load_messages()[lang], ZONE) for lang in ("en", "vi"))
DETAIL = "/objectives/open?scope=centre:vn83-a"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    world = replace(district_world(), objectives=promised().objectives)
    shown = judged(busy(promising(tmp_path_factory.mktemp("objectives"), world)))
    shown.time[0] = NOW
    yield shown
    shown.store.close()


def rows_of(net: Network, path: str) -> list[dict[str, str]]:
    """Return a table of a page as the program's CSV has it."""
    answer = net.client.get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_list_has_the_figures_of_the_api_in_its_order(net: Network) -> None:
    rows = rows_of(net, "/objectives?lang=en&table=slos&format=csv")
    answer = net.client.get("/api/v1/slos", params={"limit": 500}).json()["data"]
    assert [(r["place"], r["status"]) for r in rows[:3]] == [
        ("An desk", "exhausted"), ("An desk", "healthy"), ("Ba desk", "healthy"),
    ]  # fmt: skip
    assert [r["status"] for r in rows] == [r["status"] for r in answer]
    assert [r["measured"] for r in rows] == ["" if r["value"] is None else f"{r['value']:.6f}".rstrip("0").rstrip(".")
                                             for r in answer]  # fmt: skip
    assert float(rows[0]["left"]) == pytest.approx(answer[0]["remaining_min"])
    assert rows[0]["burn"] == "9.5"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/objectives?lang=en", (
            "1 of 6 objectives has spent its error budget.", "99.53% of the time is known",
            "An desk is working at least 99.5% of opening hours, over the last 28 days.", "Alarm: act now", "9.5 ×",
            "65.9 min over the 49.8 min allowed",
        )),
        ("/objectives?lang=vi", (
            "1 / 6 mục tiêu đã hết hạn mức lỗi.", "9,5 ×", "Đang cảnh báo: cần xử lý ngay",
            "Một cửa An hoạt động ít nhất 99,5% thời gian làm việc, tính trong 28 ngày gần nhất.",
            "vượt 65,9 phút so với 49,8 phút cho phép",
        )),
        (f"{DETAIL}&lang=en", (
            "99.5%", "98.84%", "65.9 min over the 49.8 min allowed", "last 60 min and last 5 min",
            "▲ Fires since 09:30",
            "in scope 597,600 = up 590,660 + down 4,120 + unknown 2,820; excluded 0", "590,660 / 597,600",
        )),
        (f"{DETAIL}&lang=vi", ("98,84%", "vượt 65,9 phút so với 49,8 phút cho phép", "60 phút và 5 phút gần nhất")),
    ],
)  # fmt: skip
def test_pages_say_it_in_words_and_are_sound(net: Network, path: str, words: tuple[str, ...]) -> None:
    html = page(net, path)
    text = unescape(html)
    assert [word for word in words if word not in text] == []
    outline = Outline(html)
    assert (len(outline.ids), outline.inline) == (len(set(outline.ids)), [])
    assert all(address.startswith(("/", "#")) for address in outline.fetched)
    assert all(
        net.client.get(a).status_code == 200 for a in outline.fetched if a.startswith(("/objectives/", "/static/"))
    )


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("status=exhausted", ["An desk"]),
        ("district=829", ["An desk", "An desk", "kiosk 1, An desk"]),
        ("kind=system", ["Portal"]),
        ("sli=wait", ["An desk", "Ba desk"]),
        ("objective=month", ["kiosk 1, An desk"]),
        ("level=district", []),
        ("status=nonsense&objective=open", ["An desk", "Ba desk"]),
    ],
)
def test_the_list_is_narrowed(net: Network, query: str, places: list[str]) -> None:
    assert [r["place"] for r in rows_of(net, f"/objectives?lang=en&table=slos&{query}")] == places
    twin = re.findall(r'href="(/api/v1/slos\?[^"]*)"', page(net, f"/objectives?{query}"))[0]
    assert len(net.client.get(unescape(twin)).json()["data"]) == len(places)


def test_the_api_is_narrowed_by_the_same_filters(net: Network) -> None:
    def scopes(**params: str) -> list[str]:
        return [r["scope"] for r in net.client.get("/api/v1/slos", params=params).json()["data"]]

    assert scopes(district="829", kind="device") == ["device:vn83-a-kiosk1"]
    assert scopes(level="commune", sli="wait") == ["centre:vn83-a", "centre:vn83-b"]
    assert net.client.get("/api/v1/slos", params={"district": "9"}).status_code == 404
    assert net.client.get("/api/v1/slos", params={"sli": "x"}).status_code == 422


@pytest.mark.parametrize(
    "path", ["/objectives?objective=x", "/objectives?district=9", "/objectives/x", "/objectives/open?scope=centre:x"]
)
def test_what_is_not_declared_is_not_there(net: Network, path: str) -> None:
    assert net.client.get(path, headers={"accept": "text/html"}).status_code == 404


def test_what_spent_a_budget_is_the_apis_list_and_leads_to_that_day(net: Network) -> None:
    rows = rows_of(net, f"{DETAIL}&table=spending&lang=en")
    spent = net.client.get("/api/v1/slos/open/spending", params={"scope": "centre:vn83-a"}).json()["data"]
    assert [(r["from"], r["to"], float(r["bad"])) for r in rows] == [
        (s["from"], s["to"], s["seconds"] / 60) for s in spent
    ]
    assert spent
    day = spent[0]["from"][:10]
    assert f'href="/centres/vn83-a?from={day}&amp;to=' in page(net, DETAIL)


def test_each_day_of_the_table_is_a_point_of_the_chart_and_of_the_api(net: Network) -> None:
    rows = rows_of(net, f"{DETAIL}&table=days")
    points = net.client.get("/api/v1/slos/open/history", params={"scope": "centre:vn83-a", "limit": 500}).json()["data"]
    assert [r["day"] for r in reversed(rows)] == [p["from"][:10] for p in points]
    shares = [p["budget"]["remaining_ratio"] for p in points]
    assert [r["left_share"] for r in reversed(rows)] == [
        "" if s is None else f"{s:.6f}".rstrip("0").rstrip(".") for s in shares
    ]
    assert page(net, DETAIL).count('class="hit"') == len(points)


def test_figures_that_are_no_longer_evaluated_are_never_green(net: Network) -> None:
    net.time[0] = NOW + 5 * MINUTE
    listed, detail = (
        page(net, path) for path in ("/objectives?sli=wait&lang=en", "/objectives/wait?scope=centre:vn83-a&lang=en")
    )
    net.time[0] = NOW
    for html in (listed, detail):
        assert "mood-unknown" in html
        assert "Not evaluated since 10:02: the figures below are old" in html


def test_an_objective_that_was_never_evaluated_has_no_figures(net: Network) -> None:
    html = page(net, "/objectives/portal?scope=system:vn83-portal&lang=en")
    assert "Not evaluated yet" in html
    assert 'class="big">–<' in html.replace(" big-text", "")


@pytest.mark.parametrize(
    ("lang", "objective", "words"),
    [
        ("en", WAIT, "A: at least 80% of tickets are called within 15 min, over the last 28 days."),
        ("vi", PORTAL, "A hoạt động ít nhất 99% thời gian, cả ngày đêm, tính trong 28 ngày gần nhất."),
        ("en", MONTH, "A is working at least 99% of opening hours, over the month."),
        ("en", Objective("f", "F", "F", "system", "latency", 0.95, 28, threshold_ms=2000),
         "A answers within 2 s in at least 95% of probes, over the last 28 days."),
        ("vi", replace(OPEN, sli="readiness"),
         "A sẵn sàng 5 phút sau giờ mở cửa trong ít nhất 99,5% số ngày làm việc, tính trong 28 ngày gần nhất."),
    ],
)  # fmt: skip
def test_every_kind_of_objective_has_its_sentence(lang: LanguageCode, objective: Objective, words: str) -> None:
    assert objective_words(objective, PageLocale(lang, load_messages()[lang], ZONE), "A") == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(90, "1.5 min"), (-7199, "-120 min"), (9000, "2.5 h"), (259_200, "3 days")]
)
def test_long_durations_are_not_minutes(seconds: float, words: str) -> None:
    assert duration_words(seconds, EN) == words


def test_a_place_has_its_name_and_its_own_page_where_there_is_one() -> None:
    world, served = district_world(), frozenset({"/devices/{ident}"})
    assert place_name("device:vn83-a-kiosk1", world, VI) == "kiosk 1, Một cửa An"
    assert place_name("device:x", world, VI) == "x"
    assert place_href("device:vn83-a-kiosk1", world, served) == "/devices/vn83-a-kiosk1"
    assert place_href("device:vn83-a-kiosk1", world, frozenset(), "?from=d") == "/centres/vn83-a?from=d"
    assert place_href("system:vn83-portal", world, frozenset()) == ""


def test_the_line_of_exhaustion_is_the_floor_of_a_chart_until_a_budget_is_overspent() -> None:
    well = budget_chart([BudgetDay("1", 1.0, ""), BudgetDay("2", 0.5, ""), BudgetDay("3", None, "")])
    assert (well.zero, [m.y for m in well.marks], len(well.pieces)) == (HEIGHT, [0, HEIGHT / 2, None], 1)
    over = budget_chart([BudgetDay("1", 0.5, ""), BudgetDay("2", -0.8, ""), BudgetDay("3", -40.0, "")])
    assert over.zero == HEIGHT / 3
    assert [m.spent for m in over.marks] == [False, True, True]
    assert over.marks[2].y == HEIGHT
    assert budget_chart([]).marks == ()


def test_the_overview_praises_no_objective_before_one_was_judged(tmp_path: Path) -> None:
    net = promising(tmp_path)
    html = page(net, "/?lang=en")
    net.store.close()
    assert "is within what may fail" not in html
    assert html.count("No objective judged yet") == 2, "in its tile and in its panel"
