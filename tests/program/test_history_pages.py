"""The past on the pages: date picker, charts, tables and downloads of a chosen period, and what a wrong one gets."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from telemetry.core.calendar.windows import Window
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.live_row_types import CentreNow, ImportFacts
from telemetry.core.in_service import ServicePeriod, ServicePeriods
from telemetry.queries.period_history import DayRange, read_centre_history
from telemetry.queries.service import Queries
from tests.program.network import Network, busy, local, network, waits
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth

HTML = {"Accept": "text/html"}
FRIDAY = "?from=2026-11-20&to=2026-11-20"
WEDNESDAY = "?from=2026-11-18&to=2026-11-18"
WEEK = "?from=2026-11-16&to=2026-11-22"


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    """Today's morning, and last week."""
    found = busy(network(tmp_path))
    fill_last_week(found)
    yield found
    found.store.close()


def fill_last_week(net: Network) -> None:
    """Put in Thursday's and Friday's tickets, which are counted by hand below."""
    ticket(net, "vn83-a", "land", (20, 8, 10), waits(60, 120))
    ticket(net, "vn83-a", "tax", (20, 8, 40), {**waits(1800), "abandoned": 2, "no_show": 1})
    ticket(net, "vn83-a", "land", (19, 8, 10), waits(300))
    ticket(net, "vn83-b", "land", (20, 9, 0), waits(600))


def import_log(net: Network) -> None:
    """Put in an imported log of two days, whose last ticket ended after midnight."""
    declared = {"name_vi": "Nhật ký", "name_en": "Log", "zone": "Asia/Ho_Chi_Minh"}
    now = net.time[0]
    net.live("replay-bank", CentreNow(centre="replay-bank", at=now, state="unknown", declared=declared, last_data=now))
    for day, seconds in ((2, 5), (3, 65)):
        ticket(net, "replay-bank", "ps", (day, 9, 0), waits(seconds, seconds))
    ticket(net, "replay-bank", "ps", (4, 0, 0), {"served": 1, "service_count": 1})


def ticket(net: Network, centre: str, service: str, at: tuple[int, int, int], sums: dict[str, int]) -> None:
    """Put a desk's sums into the totals of five minutes, hour and day."""
    put_totals(net, f"desk:{centre}:{service}", at, sums)


def put_totals(net: Network, scope: str, at: tuple[int, int, int], sums: dict[str, int]) -> None:
    day, hour, minute = at
    starts: tuple[tuple[BucketWidth, int], ...] = (
        ("5m", local(hour, minute, day)),
        ("1h", local(hour, 0, day)),
        ("1d", local(0, 0, day)),
    )
    for width, start in starts:
        net.total(scope, width, start, sums)


def rows_of(net: Network, path: str, delimiter: str = ",") -> list[dict[str, str]]:
    answer = net.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text), delimiter=delimiter))


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", ["/centres/vn83-a" + FRIDAY, "/centres/vn83-a" + WEEK, "/" + FRIDAY, "/" + WEEK])
def test_a_period_is_sound_html_with_charts_tables_and_downloads(net: Network, path: str, lang: str) -> None:
    html = page(net, f"{path}&lang={lang}")
    outline = Outline(html)
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert {"picker", "chart-arrivals", "chart-waits", "chart-within", "chart-losses", "live-tables"} <= set(
        outline.ids
    )
    for address in outline.fetched:
        assert address.startswith(("/", "#"))
        assert net.client.get(address).status_code == 200, address


def test_a_day_of_a_centre_shows_the_days_figures(net: Network) -> None:
    html = page(net, "/centres/vn83-a" + FRIDAY)
    assert "3 lượt khách, chờ trung bình 11 phút, 66,7% được gọi trong 15 phút." in html
    assert "2/3 lượt gọi" in html
    assert "2 bỏ lượt, 1 vắng mặt khi được gọi" in html
    assert "08:00: 2 lượt, 2 đã phục vụ, chờ trung bình 1,5 phút" in html
    assert "Lượt khách theo nửa giờ" in html
    assert "07:00: 0 lượt" in html
    half_hours = re.findall(r"<title>(\d\d:\d\d): ", html.split('id="chart-arrivals"')[1].split("</section>")[0])
    assert half_hours == [f"{m // 60:02d}:{m % 60:02d}" for m in range(7 * 60, 17 * 60, 30)]
    assert "Đất đai" in html
    assert "3 tickets, mean wait 11 min, 66.7% called within 15 min." in page(net, f"/centres/vn83-a{FRIDAY}&lang=en")


def test_a_week_is_shown_by_day_and_by_half_hour_of_the_day(net: Network) -> None:
    html = page(net, f"/centres/vn83-a{WEEK}&lang=en")
    assert "4 tickets, mean wait 9.5 min" in html
    assert "Arrivals by day" in html
    assert "By half hour of the day, over 5 open days" in html
    assert "08:00: 0.6 tickets a day on average" in html
    assert re.search(r'Sat 21 Nov 2026 <span class="note">\(closed\)', html)


def test_one_service_can_be_chosen(net: Network) -> None:
    html = page(net, f"/centres/vn83-a{FRIDAY}&service=tax&lang=en")
    assert "1 ticket, mean wait 30 min, 0% called within 15 min." in html
    assert '<option value="tax" selected>' in html
    assert 'id="table-service"' not in html
    unknown = net.client.get(f"/centres/vn83-a{FRIDAY}&service=x&lang=en", headers=HTML)
    assert (unknown.status_code, "There is no service “x” here." in unknown.text) == (404, True)
    assert 'href="/centres/vn83-a"' in unknown.text


def test_the_province_adds_its_centres_and_leads_to_each(net: Network) -> None:
    html = page(net, f"/{FRIDAY}&lang=en")
    assert "4 tickets" in html
    assert 'href="/centres/vn83-b?from=2026-11-20&amp;to=2026-11-20"' in html
    assert "Arrivals by hour" in html
    rows = rows_of(net, f"/history.csv{FRIDAY}&table=centre")
    assert [(r["centre"], r["centre_name"], r["issued"]) for r in rows] == [
        ("vn83-a", "An desk", "3"),
        ("vn83-b", "Ba desk", "1"),
    ]


def test_the_picker_leads_to_neighbours_and_units(net: Network) -> None:
    html = page(net, "/centres/vn83-a" + FRIDAY)
    for days in ("2026-11-19&amp;to=2026-11-19", "2026-11-21&amp;to=2026-11-21", "2026-11-16&amp;to=2026-11-22",
                 "2026-11-01&amp;to=2026-11-30"):  # fmt: skip
        assert f'href="/centres/vn83-a?from={days}"' in html
    assert 'name="from" value="2026-11-20"' in html
    assert 'href="/centres/vn83-a">Hôm nay (trực tiếp)' in html
    month = page(net, "/centres/vn83-a?from=2026-03-01&to=2026-03-31")
    assert "from=2026-02-01&amp;to=2026-02-28" in month
    assert "from=2026-04-01&amp;to=2026-04-30" in month
    today = page(net, "/centres/vn83-a?from=2026-11-23&to=2026-11-23")
    assert '<span class="off" aria-disabled="true">Ngày sau' in today


def test_the_present_offers_yesterday_and_the_form_keeps_empty_fields_at_the_present(net: Network) -> None:
    for path in ("/", "/centres/vn83-a"):
        assert f'href="{path}?from=2026-11-22&amp;to=2026-11-22"' in page(net, path)
        assert "Người đang chờ" in page(net, f"{path}?from=&to=&service=")


def test_a_past_period_does_not_call_itself_live(net: Network) -> None:
    past, today = (page(net, f"/centres/vn83-a?from={day}&to={day}") for day in ("2026-11-20", "2026-11-23"))
    assert "data-stream" not in past
    assert "Kỳ đã qua, đến hết ngày 20/11/2026" in past
    assert 'data-stream="/api/v1/events?centre=vn83-a"' in today


def test_the_tables_are_downloads_that_add_up(net: Network) -> None:
    path = f"/centres/vn83-a/history.csv{FRIDAY}"
    by_time = {r["from"]: r for r in rows_of(net, path)}
    assert by_time["2026-11-20T08:00:00+07:00"]["issued"] == "2"
    assert by_time["2026-11-20T08:30:00+07:00"]["wait_mean_s"] == "1800"
    assert by_time["2026-11-20T07:00:00+07:00"]["issued"] == "0"
    assert by_time["2026-11-20T07:00:00+07:00"]["wait_mean_s"] == ""
    (land, tax) = rows_of(net, path + "&table=service")
    assert (land["service"], land["service_name"], land["issued"], land["within_ratio"]) == (
        "land",
        "Đất đai",
        "2",
        "1",
    )
    assert (tax["abandoned"], tax["no_show"], tax["within_count"], tax["wait_count"]) == ("2", "1", "0", "1")
    detail = rows_of(net, path + "&table=detail")
    assert sum(int(r["issued"]) for r in detail) == sum(int(r["issued"]) for r in by_time.values()) == 3
    profile = rows_of(net, f"/centres/vn83-a/history.csv{WEEK}&table=time-of-day")
    assert [(r["time_of_day"], r["issued"], r["issued_per_open_day"]) for r in profile] == [
        ("08:00", "3", "0.6"),
        ("08:30", "1", "0.2"),
    ]


def test_a_download_is_named_by_centre_and_days(net: Network) -> None:
    day = net.client.get(f"/centres/vn83-a/history.csv{FRIDAY}&table=service")
    assert day.headers["content-disposition"] == 'attachment; filename="vn83-a_2026-11-20_service.csv"'
    week = net.client.get(f"/history.csv{WEEK}")
    assert week.headers["content-disposition"] == 'attachment; filename="province_2026-11-16_2026-11-22_time.csv"'


def test_a_spreadsheet_gets_its_mark_its_language_and_its_decimal_comma(net: Network) -> None:
    path = f"/centres/vn83-a/history.csv{FRIDAY}&table=time&spreadsheet=1"
    raw = net.client.get(path + "&lang=vi").content
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    row = next(r for r in rows if r["Từ"] == "2026-11-20 08:30")
    assert (row["Lượt khách"], row["Tỷ lệ trong thời hạn"], row["Bỏ lượt"]) == ("1", "0", "2")
    english = net.client.get(path + "&lang=en").content.decode("utf-8-sig")
    assert english.splitlines()[0].startswith("Centre id,Centre,Service id,Service,From,")


@pytest.mark.parametrize(
    ("query", "vietnamese", "english"),
    [
        ("?from=2026-13-01", "“2026-13-01”, không phải là ngày", "“2026-13-01”, which is not a day"),
        ("?from=2026-11-20&to=x", "“x”, không phải là ngày", "“x”, which is not a day"),
        ("?from=2026-11-20&to=2026-11-19", "trước “Từ ngày” (20/11/2026)", "is before “From” (20 Nov 2026)"),
        ("?from=2020-01-01&to=2026-11-19", "nhiều nhất 400 ngày", "at most 400 days"),
    ],
)
def test_a_wrong_period_is_a_page_with_the_remedy(net: Network, query: str, vietnamese: str, english: str) -> None:
    for lang, words in (("vi", vietnamese), ("en", english)):
        answer = net.client.get(f"/centres/vn83-a{query}&lang={lang}", headers=HTML)
        assert answer.status_code == 422
        assert words in answer.text
        Outline(answer.text)
    problem = net.client.get(f"/centres/vn83-a{query}").json()
    assert (problem["status"], problem["code"]) == (422, "invalid-window")


def test_a_day_may_be_written_as_people_write_it(net: Network) -> None:
    assert "3 lượt khách" in page(net, "/centres/vn83-a?from=20/11/2026")
    assert net.client.get("/?from=2026-08-01&to=2026-11-23", headers=HTML).status_code == 422
    assert "Kỳ này chưa tới" in page(net, "/centres/vn83-a?from=2026-12-24&to=2026-12-24")


def test_a_period_without_tickets_leads_to_the_newest_day_with_some(net: Network) -> None:
    html = page(net, "/centres/vn83-b?from=2026-11-18&to=2026-11-18")
    assert "Không có lượt khách nào trong kỳ này." in html
    assert 'href="/centres/vn83-b?from=2026-11-20&amp;to=2026-11-20"' in html


def test_a_closed_day_is_called_closed_and_leads_to_the_last_day_before_it(net: Network) -> None:
    ticket(net, "vn83-a", "visa", (23, 9, 0), waits(60))
    sunday = page(net, "/centres/vn83-a?from=2026-11-22&to=2026-11-22&lang=en")
    assert "The centre was closed on this day." in sunday
    assert (
        'href="/centres/vn83-a?from=2026-11-20&amp;to=2026-11-20"' in sunday.split('class="jump"')[1].split("</p>")[0]
    )
    weekend = page(net, "/centres/vn83-a?from=2026-11-21&to=2026-11-22&lang=vi")
    assert "Trung tâm nghỉ trong cả kỳ này." in weekend
    assert "Không có lượt khách" in page(net, "/?from=2026-11-22&to=2026-11-22")


def test_a_mean_per_open_day_counts_days_in_service_that_reached_the_time_of_day(net: Network) -> None:
    ticket(net, "vn83-a", "visa", (20, 15, 0), waits(60))
    (centre,) = (c for c in net.queries.network().centres() if c.id == "vn83-a")
    days = DayRange(date(2026, 11, 19), date(2026, 11, 23), centre.zone)
    from_friday = Window(local(6, 30, 20), local(0, 0, 30))
    history = read_centre_history(net.store, centre, days, None, net.time[0], from_friday)
    assert history.open_days == 2, "Friday and today"
    per_day = {point.minute: point.issued_per_day for point in history.by_time_of_day}
    assert per_day[8 * 60] == (2 + 1 + 1) / 2
    assert per_day[15 * 60] == 1.0, "today has not reached 15:00"
    before = read_centre_history(net.store, centre, days, None, net.time[0], Window(0, 0))
    assert (before.open_days, before.by_time_of_day[0].issued_per_day) == (0, None)


def test_a_centre_that_was_not_in_service_says_so(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    periods = ServicePeriods({"centre:vn83-b": ServicePeriod(local(6, 30, 20))})
    monkeypatch.setattr(Queries, "service_periods", lambda _: periods)
    assert "The centre was not in service in this period." in page(
        net, "/centres/vn83-b?from=2026-11-18&to=2026-11-18&lang=en"
    )


def test_a_centre_without_tickets_today_leads_to_its_newest_day_and_says_how_long_people_waited(net: Network) -> None:
    html = page(net, "/centres/vn83-b?lang=en")
    assert f'href="/centres/vn83-b{FRIDAY.replace("&", "&amp;")}"' in html
    assert "Last day with visitors (Fri 20 Nov 2026): mean wait 10 min, 1 ticket<" in html


def test_an_import_opens_on_its_newest_day_and_says_so(net: Network) -> None:
    import_log(net)
    html = page(net, "/centres/replay-bank")
    assert "trang mở ở những ngày gần nhất có dữ liệu (02/11/2026 – 03/11/2026)" in html
    assert "4 lượt khách, chờ trung bình 0,6 phút, 100% được gọi trong 15 phút." in html
    assert "Bảng theo nửa giờ trong ngày, của 2 ngày mở cửa" in html
    assert 'aria-current="page">Toàn bộ nhật ký' in html
    assert "Hôm nay (trực tiếp)" not in html
    assert "Dữ liệu nhập từ nhật ký cũ" in page(net, "/")
    chosen = page(net, "/centres/replay-bank?from=2026-11-03&to=2026-11-03")
    assert "trang mở ở" not in chosen
    assert "09:00: 2 lượt, 2 đã phục vụ, chờ trung bình 1,1 phút" in chosen
    assert [r["from"][:10] for r in rows_of(net, "/centres/replay-bank/history.csv")] == ["2026-11-02", "2026-11-03"]


def test_an_import_says_whether_its_hours_are_derived_or_declared(net: Network) -> None:
    import_log(net)
    assert 'id="opening-hours"' not in page(net, "/centres/replay-bank"), "the import of an earlier version names none"
    weekday = (("07:30", "11:30"), ("13:00", "00:00"))
    facts = ImportFacts(hours=(*[weekday] * 5, (), ()), derived_hours=True)
    row = CentreNow(centre="replay-bank", at=net.time[0], state="unknown", declared={"name_vi": "Nhật ký"})
    net.live("replay-bank", msgspec.structs.replace(row, import_facts=facts))
    derived = page(net, "/centres/replay-bank?lang=en")
    assert "Opening hours derived from the log&#39;s tickets: Mon–Fri 07:30-11:30,13:00-24:00. To declare" in derived
    declared = msgspec.structs.replace(facts, derived_hours=False)
    net.live("replay-bank", msgspec.structs.replace(row, import_facts=declared))
    assert "Giờ làm việc khai báo trong tệp ánh xạ: Thứ 2–Thứ 6 07:30" in page(net, "/centres/replay-bank?lang=vi")


def test_only_days_of_devices_that_may_still_send_can_change(net: Network) -> None:
    import_log(net)
    assert "có thể thay đổi" not in page(net, "/centres/replay-bank")
    assert "có thể thay đổi" in page(net, "/centres/vn83-a" + FRIDAY)


def test_pages_are_tagged_by_language_period_and_version(net: Network) -> None:
    path = "/centres/vn83-a" + FRIDAY
    first = net.client.get(path)
    tag = {"If-None-Match": first.headers["etag"]}
    again = net.client.get(path, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert net.client.get(path, headers={**tag, "Accept-Language": "en"}).status_code == 200
    assert net.client.get("/centres/vn83-a" + WEEK, headers=tag).status_code == 200
    net.live("vn83-a")
    assert net.client.get(path, headers=tag).status_code == 200
    csv_tag = {"If-None-Match": net.client.get(f"/history.csv{WEEK}").headers["etag"]}
    assert net.client.get(f"/history.csv{WEEK}", headers=csv_tag).status_code == 304


def test_a_long_period_is_shown_by_month(net: Network) -> None:
    html = page(net, "/centres/vn83-a?from=2026-01-01&to=2026-11-23&lang=en")
    assert "Arrivals by month" in html
    rows = rows_of(net, "/centres/vn83-a/history.csv?from=2026-01-01&to=2026-11-22")
    assert [(r["from"][:10], r["issued"]) for r in rows][-2:] == [("2026-10-01", "0"), ("2026-11-01", "4")]


def test_a_wrong_centre_leads_to_similar_ones(net: Network) -> None:
    answer = net.client.get("/centres/vn83-c", headers=HTML)
    assert answer.status_code == 404
    assert 'href="/centres/vn83-a"' in answer.text
    assert 'href="/"' in answer.text
    Outline(answer.text)


def test_the_same_figures_come_from_the_api(net: Network) -> None:
    window = {"from": "2026-11-20", "to": "2026-11-21", "centre": "vn83-a", "bucket": "total"}
    rows = net.client.get("/api/v1/queues/history", params=window).json()["data"]
    by_service = rows_of(net, f"/centres/vn83-a/history.csv{FRIDAY}&table=service")
    for api, row in zip(rows, by_service, strict=True):
        assert [str(api[k]) for k in ("service", "issued", "served", "abandoned", "no_show")] == [
            row[k] for k in ("service", "issued", "served", "abandoned", "no_show")
        ]
        assert api["wait"]["mean_s"] == float(row["wait_mean_s"])
        assert api["wait"]["p90_s"] == pytest.approx(float(row["wait_p90_s"]), abs=1e-3)


def history_of(net: Network, **query: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    answer = net.client.get("/api/v1/queues/history", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"], answer.json()["meta"]


def test_a_history_without_dates_answers_the_newest_day_with_tickets_and_says_so(net: Network) -> None:
    rows, meta = history_of(net, centre="vn83-b")
    assert [(r["service"], r["issued"]) for r in rows] == [("land", 1)]
    assert (meta["from"], meta["to"]) == ("2026-11-20T00:00:00+07:00", "2026-11-21T00:00:00+07:00")
    assert meta["window_choice"] == "newest"
    rows, meta = history_of(net, centre="vn83-a", bucket="30m")
    assert (len(rows), meta["window_choice"], meta["from"][:10]) == (3, "today", "2026-11-23")
    rows, meta = history_of(net, centre="vn83-b", **{"from": "2026-11-23"})
    assert (rows, meta["window_choice"]) == ([], "requested")
    assert history_of(net)[1]["window_choice"] == "today"


def test_a_history_of_nothing_at_all_is_todays(tmp_path: Path) -> None:
    net = network(tmp_path)
    rows, meta = history_of(net, centre="vn83-a")
    assert (rows, meta["window_choice"], meta["from"][:10]) == ([], "today", "2026-11-23")
    net.store.close()


def test_no_page_or_download_reads_raw_events(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("raw events were read")

    monkeypatch.setattr(type(net.store), "events", refuse)
    for path in ("/", "/centres/vn83-a", f"/{WEEK}", f"/centres/vn83-a{WEEK}", f"/centres/vn83-a{FRIDAY}"):
        page(net, path)
    assert rows_of(net, f"/centres/vn83-a/history.csv{WEEK}&table=detail")


def test_a_centres_history_shows_ways_transfers_and_counters_where_there_are_data(net: Network) -> None:
    texts = ("Chuyển quầy, lĩnh vực", "Thời gian đến quầy trung bình", "Hiệu suất sử dụng quầy", "Quầy mở so với lịch")
    plain = net.client.get(f"/centres/vn83-a{FRIDAY}&lang=vi", headers=HTML).text
    assert not any(text in plain for text in texts), "no card stands for what nobody measures"
    way = {"way_count": 1, "way_sum_ms": 90_000, "way_histogram": histogram_of(90_000)}
    ticket(net, "vn83-a", "land", (18, 8, 20), {"issued": 1, "transferred": 2, "closed_eod": 1, **way})
    counters = {"counter_known_ms": 1, "counter_busy_ms": 900_000, "counter_open_ms": 3_600_000}
    scheduled = {"counter_rostered_ms": 7_200_000, "counter_open_rostered_ms": 3_600_000}
    put_totals(net, "counters:vn83-a", (18, 8, 20), {**counters, **scheduled})
    shown = net.client.get(f"/centres/vn83-a{WEDNESDAY}&lang=vi", headers=HTML).text
    assert all(text in shown for text in texts)
    assert "bận 0,2 giờ trên 1" in shown or "bận 0,3 giờ trên 1" in shown
    (land, _) = rows_of(net, f"/centres/vn83-a/history.csv{WEDNESDAY}&table=service")
    assert [land[n] for n in ("transferred", "closed_eod", "way_count", "way_mean_s")] == ["2", "1", "1", "90"]
