"""The pages as a browser without JavaScript sees them: words, languages, live parts, and no request elsewhere."""

from __future__ import annotations

import re
from datetime import date, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast, get_args

import pytest

import dashboards
from api.pages.charts.plots import PLOT_HEIGHT, ChartSeries, ColumnText, axis_ticks, day_strip, target_gauge, time_chart
from api.pages.frame.catalogues import LANGS, LanguageCode, catalogue_files, load_messages
from api.pages.frame.language import PageLocale
from api.pages.objectives.budgets import budget_text
from telemetry.core.calendar.windows import DAY, HOUR, Window
from telemetry.core.figures.accounting import TimeByState
from telemetry.core.figures.condition import Reason
from telemetry.core.fold.live_row_types import DeviceNow, SystemNow
from telemetry.core.protocol.events import PrinterState
from telemetry.queries.availability import AvailabilityResult
from tests.program.network import ZONE, Network, busy, centre_now, local, network
from tests.program.promises import judged, promising

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.queries.slos import ScopedSlo

PAGE = Path(dashboards.__file__).parent / "page"
VOID = {"meta", "link", "rect", "line", "path", "input", "br", "img", "polyline", "circle"}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(network(tmp_path))
    yield found
    found.store.close()


class Outline(HTMLParser):
    """Checks that tags are balanced and ids unique, and keeps what a browser would fetch or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.inline: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [v for k, v in attrs if k == "id" and v]
        self.fetched += [v for k, v in attrs if k in {"src", "href", "data-stream"} and v]
        self.inline += [k for k in given if k.startswith("on") or k == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def page(net: Network, path: str, **headers: str) -> str:
    answer = net.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return str(answer.text)


@pytest.mark.parametrize("path", ["/", "/centres/vn83-a", "/centres/vn83-b", "/?lang=en", "/centres/vn83-a?lang=en"])
def test_pages_are_sound_html_without_inline_code_or_foreign_addresses(net: Network, path: str) -> None:
    outline = Outline(page(net, path))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert all(address.startswith(("/", "#")) for address in outline.fetched)
    for address in outline.fetched:
        if address.startswith(("/static/", "/centres/")):
            assert net.client.get(address).status_code == 200


def test_the_province_in_vietnamese_says_it_in_a_sentence(net: Network) -> None:
    html = page(net, "/")
    assert '<html lang="vi">' in html
    assert "2 trung tâm đang mở, tất cả hoạt động bình thường." in html
    assert "7,3 phút" in html
    assert "tối đa 15 phút" in html
    assert "30 phút vào năm 2022; 15 phút vào năm 2025" in html
    assert "Đạt chỉ tiêu" in html
    assert "80%" in html
    assert "mô phỏng" not in html


def test_the_centre_says_what_works_and_when_it_closes(net: Network) -> None:
    html = page(net, "/centres/vn83-a")
    assert (
        "Trung tâm đang mở – 3/4 quầy mở, 1/1 cổng kết nối hoạt động, 1/1 kiosk hoạt động. Đóng cửa lúc 11:30." in html
    )
    assert "Đất đai" in html
    assert html.count("<title>") >= 28
    assert "07:00: 1 lượt" in html
    assert "07:00: chờ trung bình 0,5 phút" in html
    english = page(net, "/centres/vn83-a?lang=en")
    assert "The centre is open – 3/4 counters open, 1/1 gateway working, 1/1 kiosk working. Closes at 11:30." in english


def test_kinds_and_counts_are_in_the_right_number(net: Network) -> None:
    now = net.time[0]
    kiosks = tuple(
        DeviceNow(id=f"vn83-a-kiosk{i}", kind="kiosk", state="up", last_event=now, paper_pct=81.9) for i in (1, 2)
    )
    net.live("vn83-a", centre_now("vn83-a", now, counters_open=1, devices=kiosks))
    english = page(net, "/centres/vn83-a?lang=en")
    assert "1 being served, 1 counter open" in english
    assert "82% paper" in english
    assert ">kiosk" in english.split('id="live-devices"')[1]
    numbers: tuple[tuple[LanguageCode, str], ...] = (("en", "2/2 kiosks"), ("vi", "2/2 kiosk"))
    for lang, words in numbers:
        locale = PageLocale(lang, load_messages()[lang], ZONE)
        assert f"2/2 {locale.kind('kiosk', 2)}" == words
        assert locale.kind("robot", 2) == "robot"
    assert "1/1 vantage point reports it up" in PageLocale("en", load_messages()["en"], ZONE).t(
        "vantage_note", part=1, n=1
    )


def test_a_healthy_system_stands_in_a_row_and_one_in_trouble_has_a_card(net: Network) -> None:
    part = page(net, "/?lang=en").split('id="live-systems"')[1].split("</section>", maxsplit=1)[0]
    assert '<ul class="systems">' not in part
    assert "1 system is operational;" in part
    assert "2/2 vantage points report it up" in part
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=net.time[0], state="down", vantage=()))
    part = page(net, "/?lang=en").split('id="live-systems"')[1].split("</section>", maxsplit=1)[0]
    assert '<ul class="systems">' in part
    assert "systems-well" not in part


def test_reasons_write_shares_with_one_decimal_at_most_and_never_round_up_to_all() -> None:
    locale = PageLocale("en", load_messages()["en"], ZONE)
    shown = [
        locale.reason(Reason("within_target_low", ratio=ratio, goal=0.8, target_s=900), 0)
        for ratio in (3 / 7, 0.15, 0.9996)
    ]
    assert [text.split("%")[0] for text in shown] == ["42.9", "15", "99.9"]


def test_dates_are_written_as_each_language_writes_them() -> None:
    at = int(datetime(2026, 3, 7, 9, 5, tzinfo=ZONE).timestamp() * 1000)
    shown = {
        lang: (
            locale.date_and_time(at),
            locale.day_of(at),
            locale.plain_date(date(2026, 3, 7)),
            locale.short_day_of(at),
        )
        for lang, locale in ((lang, PageLocale(lang, load_messages()[lang], ZONE)) for lang in LANGS)
    }
    assert shown == {
        "vi": ("09:05, 07/03/2026", "Thứ 7 07/03/2026", "07/03/2026", "07/03"),
        "en": ("09:05, 7 Mar 2026", "Sat 7 Mar 2026", "7 Mar 2026", "7 Mar"),
    }


def test_a_target_is_named_by_its_milestone(net: Network) -> None:
    assert "Chỉ tiêu đang áp dụng: tối đa 15 phút (mốc 31/12/2025)" in page(net, "/")
    assert "Target in force: at most 15 min (milestone of 31 Dec 2025)" in page(net, "/?lang=en")


def test_a_closed_centre_says_when_it_opens(net: Network) -> None:
    net.time[0] = local(12)
    net.live("vn83-a")
    assert "Trung tâm đang đóng cửa. Mở cửa lúc 13:30." in page(net, "/centres/vn83-a")


def test_the_language_is_the_links_then_the_cookies_then_the_browsers(net: Network) -> None:
    assert '<html lang="en">' in page(net, "/", **{"Accept-Language": "fr, en;q=0.8, vi;q=0.2"})
    assert '<html lang="vi">' in page(net, "/", **{"Accept-Language": "fr"})
    answer = net.client.get("/?lang=en")
    assert "motcua_lang=en" in answer.headers["set-cookie"]
    assert '<html lang="en">' in page(net, "/", **{"Accept-Language": "vi"})
    assert '<html lang="vi">' in page(net, "/?lang=vi")


def test_it_reads_without_javascript_and_can_be_paused_with_it(net: Network) -> None:
    for html in (page(net, "/"), page(net, "/centres/vn83-a")):
        assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in html
        assert 'id="pause"' in html
        assert 'class="skip" href="#main"' in html
        assert 'role="status"' in html
        assert re.findall(r'id="(live-[a-z-]+)" data-live', html)


def test_old_data_is_never_shown_as_the_present(net: Network) -> None:
    net.time[0] = local(10, 7)
    for path in ("/", "/centres/vn83-a"):
        assert "Không có dữ liệu từ 10:02" in page(net, path)
    english = page(net, "/?lang=en")
    assert "No data since 10:02" in english
    assert "No centre needs help" not in english  # nobody knows
    assert 'class="verdict' not in english


def test_a_network_that_was_never_heard_says_so(tmp_path: Path) -> None:
    net = network(tmp_path)
    for path in ("/", "/centres/vn83-a"):
        assert "Hôm nay chưa có dữ liệu" in page(net, path)
    net.store.close()


def test_simulated_data_says_so(net: Network) -> None:
    net.live("vn83-a", centre_now("vn83-a", net.time[0], simulated=True))
    for path in ("/", "/centres/vn83-a"):
        assert "Dữ liệu mô phỏng" in page(net, path)


def test_the_worst_centre_comes_first(net: Network) -> None:
    net.live("vn83-b", centre_now("vn83-b", net.time[0], state="down"))
    html = page(net, "/")
    assert html.index('href="/centres/vn83-b"') < html.index('href="/centres/vn83-a"')
    assert "1/2 trung tâm đang mở hoạt động bình thường, 1 ngừng phục vụ." in html


def test_a_browser_gets_errors_as_pages_and_a_program_as_problems(net: Network) -> None:
    shown = net.client.get("/centres/x", headers={"Accept": "text/html"})
    assert (shown.status_code, "Không có trang" in shown.text) == (404, True)
    Outline(shown.text)
    assert net.client.get("/centres/x").headers["content-type"] == "application/problem+json"
    api = net.client.get("/api/v1/centres/x", headers={"Accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"


def test_both_languages_say_the_same_things() -> None:
    found = load_messages()
    assert set(found["vi"]) == {key for key in found["en"] if not key.endswith("_one")}
    assert [f.name for f in catalogue_files("vi")] == [f.name for f in catalogue_files("en")]
    for key, words in found["en"].items():
        assert set(re.findall(r"\{(\w+)\}", words)) == set(
            re.findall(r"\{(\w+)\}", found["vi"][key.removesuffix("_one")])
        )


def made_key_prefixes() -> tuple[str, ...]:
    """Return the beginnings of keys that the catalogues' heads name as put together at run time."""
    lines = [line for file in catalogue_files("vi") for line in file.read_text("utf-8").splitlines()]
    heads = [line.partition("keys made from:")[2] for line in lines if line.startswith("#")]
    return tuple(prefix for head in heads for prefix in head.split())


def test_every_message_is_used_somewhere() -> None:
    sources = [*PAGE.glob("templates/*.html"), *Path("api").glob("*.py"), *Path("api/pages").rglob("*.py")]
    text = "".join(p.read_text("utf-8") for p in (PAGE.parents[1] / s for s in sources))
    made = made_key_prefixes()
    assert made
    keys = load_messages()["vi"]
    assert [k for k in keys if not k.startswith(made) and f'"{k}"' not in text and f"'{k}'" not in text] == []
    assert [prefix for prefix in made if not any(key.startswith(prefix) for key in keys)] == []


def test_nothing_in_the_templates_or_static_files_names_another_host() -> None:
    own = [path for path in PAGE.glob("static/*") if path.is_file()]  # vendor/: test_vendored_files.py
    for path in [*PAGE.glob("templates/*"), *own]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\((?!#)", text), path.name


def test_bars_stay_inside_the_plot_and_below_the_top_of_the_axis() -> None:
    texts = [ColumnText(str(i), "") for i in range(4)]
    counts = (ChartSeries("issued", (7.0, 0.0, 0.0, 1.0)), ChartSeries("served", (3.0, 0.0, 0.0, 13.0)))
    chart = time_chart(counts, texts)
    bars = [bar for column in chart.columns for bar in column.bars]
    assert [(bar.series, bar.height > 0) for bar in bars] == [
        ("issued", True),
        ("served", True),
        ("issued", True),
        ("served", True),
    ]
    assert all(0 < bar.height < PLOT_HEIGHT and bar.y + bar.height == pytest.approx(PLOT_HEIGHT) for bar in bars)
    assert not time_chart((ChartSeries("issued", ()),), ()).any


@pytest.mark.parametrize("highest", [0.2, 1, 2, 3, 4, 7, 9.9, 10, 47, 99, 100, 101, 950, 12_345])
def test_one_bar_alone_does_not_fill_the_height(highest: float) -> None:
    (column,) = time_chart((ChartSeries("issued", (highest,)),), [ColumnText("07:00", "")]).columns
    assert column.bars[0].height < 0.95 * PLOT_HEIGHT
    assert column.bars[0].width <= 26
    ticks = axis_ticks(highest, 4)
    assert 3 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert len({round(b - a, 6) for a, b in pairwise(ticks)}) == 1


def test_a_line_is_broken_where_there_is_no_value() -> None:
    (line,) = time_chart(
        (ChartSeries("p90", (1.0, 2.0, None, 3.0), as_line=True),), [ColumnText(str(i), "") for i in range(4)]
    ).lines
    assert [len(piece.split()) for piece in line.pieces] == [2]
    assert len(line.points) == 3
    assert time_chart((ChartSeries("within", (None, 100.0)),), [ColumnText("", "")] * 2, fixed_top=100).ticks[0][1] == 0


def test_a_share_of_zero_has_a_stub_and_no_share_has_none() -> None:
    chart = time_chart([ChartSeries("within", (0.0, None), shows_zero=True)], [ColumnText("", "")] * 2, fixed_top=100)
    assert [len(column.bars) for column in chart.columns] == [1, 0]
    assert chart.columns[0].bars[0].height > 0


@pytest.mark.parametrize(
    ("account", "mark"),
    [
        (TimeByState(), ""),
        (TimeByState(up=990, down=10), "✓"),
        (TimeByState(up=989, down=11), "!"),
        (TimeByState(up=900, down=100), "!"),
        (TimeByState(up=899, down=101), "✕"),
        (TimeByState(up=500, down=110, unknown=390), "✕"),
        (TimeByState(up=600, unknown=400), "?"),  # silence is not up
        (TimeByState(up=950, down=25, unknown=25), "!"),
        (TimeByState(up=300, down=100, unknown=600), "?"),  # below the coverage floor
    ],
)
def test_the_mark_of_a_day_never_takes_silence_for_up(account: TimeByState, mark: str) -> None:
    day = Window(0, DAY)
    (cell,) = day_strip(AvailabilityResult("centre:vn83-a", day, ZONE, ((day, account),), account))
    assert cell.mark == mark


def test_a_day_of_the_strip_says_the_time_of_each_state(net: Network) -> None:
    net.total("centre:vn83-a", "1d", local(0, day=20), {"open_up_ms": 6 * HOUR, "open_down_ms": HOUR // 2})
    assert "hoạt động 360 phút, ngừng 30 phút, không rõ 90 phút" in page(net, "/centres/vn83-a")
    assert "up 360 min, down 30 min, unknown 90 min" in page(net, "/centres/vn83-a?lang=en")


def test_a_gauge_needs_a_value_and_a_target() -> None:
    assert target_gauge(None, [900]) is None
    assert target_gauge(60.0, []) is None
    found = target_gauge(900.0, [900, 1800])
    assert found is not None
    assert found.value == found.marks[0] < found.marks[1] < 100


def test_a_centre_shows_what_is_left_of_its_budgets(tmp_path: Path) -> None:
    net = judged(busy(promising(tmp_path)))
    html, english = page(net, "/centres/vn83-a"), page(net, "/centres/vn83-a?lang=en")
    Outline(html)
    assert "vượt 65,9 phút so với 49,8 phút cho phép" in html
    assert "Đã hết hạn mức lỗi" in html
    assert "65.9 min over the 49.8 min allowed" in english
    assert "10 of 20 tickets" in english
    assert "99.53%" in english
    assert html.index("Mở cửa") < html.index('id="live-strip"')
    net.store.close()


@pytest.mark.parametrize(
    ("total", "consumed", "text"),
    [
        (169.8, 81, "88 of 169 tickets"),
        (2.6, 0, "2 of 2 tickets"),
        (0.2, 0, "None may fail yet"),
        (0.2, 1, "Error budget exceeded: 1 tickets (allowed 0)"),
        (19.9999999999, 10, "10 of 20 tickets"),
    ],
)
def test_a_budget_of_tickets_is_in_whole_tickets(total: float, consumed: float, text: str) -> None:
    budget = SimpleNamespace(total=total, consumed=consumed, remaining=total - consumed)
    slo = cast("ScopedSlo", SimpleNamespace(budget=budget, in_seconds=False, objective=SimpleNamespace(sli="wait")))
    assert budget_text(slo, PageLocale("en", load_messages()["en"], ZONE)) == text


def test_the_page_of_badges_is_sound(tmp_path: Path) -> None:
    net = judged(busy(promising(tmp_path)))
    outline = Outline(page(net, "/badges?lang=en"))
    badges = [address for address in outline.fetched if address.startswith("/badges/")]
    assert len(badges) == 4 + 1 + 1
    assert all(net.client.get(address).status_code == 200 for address in badges)
    net.store.close()


FORBIDDEN_VI = (
    "ngân sách",
    "máy bảng",
    "giảm năng lực",
    "có dữ liệu {coverage}",
    "số đã phục vụ",
    "mục tiêu dịch vụ",
    "mục tiêu mức dịch vụ",
    "nhóm dịch vụ",
    "tác tử",
    "hộp gửi",
    "bỏ về",
    "lượt tiếp nhận",
    "mất liên lạc",
    "kho khai báo",
    "mục tiêu cuối",
    "phần sai sót",
)
"""Wordings that an official would not write, in lower case; the glossary has the right ones."""


def test_no_vietnamese_text_has_a_wording_that_an_official_would_not_write() -> None:
    files = [
        *(PAGE / "messages" / "vi").glob("*.po"),
        *Path("inventory").rglob("*.toml"),
        Path("telemetry/core/slo/alert.py"),
    ]
    for path in (PAGE.parents[1] / file for file in files):
        text = path.read_text("utf-8").lower()
        assert [words for words in FORBIDDEN_VI if words in text] == [], path


def test_every_printer_state_has_words_in_both_languages() -> None:
    for messages in load_messages().values():
        assert {f"printer_{state}" for state in get_args(PrinterState)} <= {*messages}


@pytest.mark.parametrize(
    ("asked", "link"),
    [
        ("//evil.example/x", "/evil.example/x"),
        ("/%5Cevil.example/x", "/evil.example/x"),
        ("/%09/evil.example/x", "/%09/evil.example/x"),
        ("/%22%3E%3Cb%3E", "/%22%3E%3Cb%3E"),
        ("/khong-c%C3%B3", "/khong-c%C3%B3"),
    ],
)
def test_the_link_to_the_other_language_stays_on_this_host(net: Network, asked: str, link: str) -> None:
    answer = net.client.get(f"http://testserver{asked}", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert re.findall(r'class="lang" href="([^"?]*)\?', answer.text) == [link]
