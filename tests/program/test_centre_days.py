"""Today beside the usual day and the weeks before it, through the API, from totals that are counted by hand."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, time
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import SLOT, Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.queries.period_history import HALF_HOUR_MS
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import ForecastJob
from tests.program.network import NOW, ZONE, Network, centre, centre_now, inventory, network, waits
from tests.program.test_forecasts_api import TODAY, fill
from tests.program.test_pages import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Eight weeks of 14 tickets a half hour, and a morning with 30, 30 and 14."""
    made = network(tmp_path_factory.mktemp("days"))
    fill(made, "vn83-a")
    job = ForecastJob(made.store, inventory, FoldFaults(made.store, lambda: NOW))
    made.store.put_live_rows(job.rows_of(centre("vn83-a", "An"), NOW))
    rows = [
        total("vn83-a", TODAY, time(7, 5), {**waits(*[60] * 30), "issued": 30}),
        total("vn83-a", TODAY, time(7, 35), {"issued": 30}),
        total("vn83-a", TODAY, time(9, 40), {"issued": 14}),
        total("vn83-a", TODAY, time(10, 0), {"issued": 3}),
    ]
    made.store.replace_totals("vn83-a", "5m", Window(rows[0].start, NOW), rows)
    made.time[0] += 2000
    yield made
    made.client.close()
    made.store.close()


def total(ident: str, day: date, at: time, sums: dict[str, int]) -> Total:
    return Total(ident, f"desk:{ident}:land", "5m", local_ms(day, at, ZONE), "vn83", sums)


def get(net: Network, path: str) -> dict[str, Any]:
    answer = net.client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_today_is_listed_by_half_hour_beside_what_is_usual(net: Network) -> None:
    answer = get(net, "queues/today?centre=vn83-a")
    by_start = {row["from"][11:16]: row for row in answer["data"]}
    assert next(iter(by_start)) == "07:00"
    assert [by_start[at]["issued"] for at in ("07:00", "07:30", "08:00", "09:30", "10:00", "10:30")] == [
        30, 30, 0, 14, 3, None,
    ]  # fmt: skip
    assert by_start["07:00"]["wait"] == {"count": 30, "sum_s": 1800.0, "mean_s": 60.0}
    assert by_start["07:00"]["expected"] == pytest.approx(14, abs=1)
    assert by_start["07:00"]["p90"] < 30
    assert by_start["07:00"]["usual_wait"]["middle_s"] == pytest.approx(300, abs=1)
    assert not by_start["12:00"]["open"]


def test_the_day_so_far_ends_with_the_last_whole_half_hour(net: Network) -> None:
    so_far = get(net, "queues/today?centre=vn83-a")["meta"]["so_far"]
    assert (so_far["until"][11:16], so_far["issued"]) == ("10:00", 74)
    assert so_far["expected"] == pytest.approx(6 * 14, rel=0.06)
    assert so_far["p10"] <= 74 < so_far["p90"]
    assert so_far["comparison"] == "usual"


def test_the_forecast_and_today_expect_the_same(net: Network) -> None:
    today = {row["from"]: row for row in get(net, "queues/today?centre=vn83-a")["data"] if row["expected"] is not None}
    forecast = get(net, "queues/forecast?centre=vn83-a&from=2026-11-23&to=2026-11-24")["data"]
    assert len(forecast) > 16
    for row in forecast:
        assert [row[name] for name in ("expected", "p10", "p90")] == [
            today[row["from"]][name] for name in ("expected", "p10", "p90")
        ]


def test_a_centre_without_forecast_has_its_half_hours_but_no_comparison(net: Network) -> None:
    answer = get(net, "queues/today?centre=vn83-b")
    assert (answer["meta"]["status"], answer["meta"]["so_far"]) == ("not_made", None)
    assert [(row["issued"], row["expected"]) for row in answer["data"]][:2] == [(0, None), (0, None)]


def test_a_profile_adds_four_of_each_weekday_without_today(net: Network) -> None:
    answer = get(net, "queues/profile?centre=vn83-a&limit=200")
    assert (answer["meta"]["from"][:10], answer["meta"]["to"][:10]) == ("2026-10-26", "2026-11-23")
    rows = {(row["weekday"], row["time_of_day"]): row for row in answer["data"]}
    assert len(rows) == 5 * 16
    monday, rush = rows["monday", "07:00"], rows["thursday", "09:00"]
    assert monday["dates"] == ["2026-10-26", "2026-11-02", "2026-11-09", "2026-11-16"]
    spans = [f"from={day}T07:00:00%2B07:00&to={day}T07:30:00%2B07:00" for day in monday["dates"]]
    same = [row for span in spans for row in get(net, f"queues/history?centre=vn83-a&{span}")["data"]]
    assert monday["issued"] == sum(row["issued"] for row in same)
    assert monday["wait"]["count"] == sum(row["wait"]["count"] for row in same)
    assert monday["issued_per_day"] == monday["issued"] / 4
    assert rush["issued_per_day"] > 30


def test_a_profile_is_read_again_when_the_past_was_written_again(tmp_path: Path) -> None:
    net, reads = network(tmp_path), []
    totals = net.store.totals

    def counted(entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        reads.append((width, kind))
        return list(totals(entities, width, window, kind))

    net.store.totals = counted  # type: ignore[method-assign]
    past = date(2026, 11, 20)
    net.live("vn83-a", centre_now("vn83-a", NOW, reopened=1))
    assert get(net, "queues/profile?centre=vn83-a")["data"][0]["issued"] == 0
    net.store.replace_totals(
        "vn83-a", "5m", Window(local_ms(past, time(0), ZONE), NOW), [total("vn83-a", past, time(7), {"issued": 5})]
    )
    net.time[0] += 60_000
    get(net, "queues/profile?centre=vn83-a")
    assert reads == [("5m", "desk")], "nothing was read again: the row names no change"
    net.live("vn83-a", centre_now("vn83-a", net.time[0], reopened=2))
    net.time[0] += 2000
    rows = get(net, "queues/profile?centre=vn83-a&limit=200")["data"]
    assert sum(row["issued"] for row in rows) == 5
    assert len(reads) == 2
    net.client.close()
    net.store.close()


LARGEST_PAGE = 100_000
"""Bytes of a centre's page: lines of communes are slow."""


def page(net: Network, path: str) -> str:
    answer = net.client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.mark.parametrize(
    ("lang", "texts"),
    [
        ("en", ("Like a usual Monday: 74 tickets by 10:00, usually {p10} to {p90}.", "Yesterday", "Needs attention")),
        ("vi", ("Như thứ Hai thường lệ: 74 lượt đến 10:00, thường từ {p10} đến {p90}.", "Hôm qua", "Việc cần xử lý")),
    ],
)
def test_the_page_compares_today_with_the_usual_day_as_the_api_does(
    net: Network, lang: str, texts: tuple[str, ...]
) -> None:
    so_far = get(net, "queues/today?centre=vn83-a")["meta"]["so_far"]
    html = page(net, f"/centres/vn83-a?lang={lang}")
    assert texts[0].format(**so_far) in html
    assert texts[1] not in html, "yesterday was a Sunday"
    assert texts[2] in html
    assert len(html.encode()) <= LARGEST_PAGE


def test_the_last_day_with_visitors_is_one_step_away_with_its_mean_wait(net: Network) -> None:
    html = page(net, "/centres/vn83-a?lang=en")
    link = re.search(r'<a class="last-day" href="([^"]+)">([^<]+)</a>', html)
    assert link is not None
    assert link[1] == "/centres/vn83-a?from=2026-11-20&amp;to=2026-11-20"
    history = get(net, "queues/history?centre=vn83-a&from=2026-11-20&to=2026-11-21&bucket=30m")["data"]
    issued = sum(row["issued"] for row in history)
    assert link[2] == f"Last day with visitors (Fri 20 Nov 2026): mean wait –, {issued} tickets", "no call has a wait"
    assert f"{issued} tickets" in page(net, link[1].replace("&amp;", "&") + "&lang=en")


def test_a_cell_of_the_grid_leads_to_the_days_behind_it(net: Network) -> None:
    rows = get(net, "queues/profile?centre=vn83-a&limit=200")["data"]
    html = page(net, "/centres/vn83-a?lang=en")
    grid = html[html.index('id="heat-tickets"') :].partition("</table>")[0]
    assert grid.count("<a href=") == len(rows)
    rush = next(row for row in rows if (row["weekday"], row["time_of_day"]) == ("thursday", "09:00"))
    (shown,) = re.findall(r'weekday=3&amp;at=09:00">([^<]+)</a>', grid)
    assert shown == str(round(rush["issued_per_day"]))
    behind = page(net, "/centres/vn83-a/half-hours?weekday=3&at=09:00&lang=en")
    for day in rush["dates"]:
        assert f'href="/centres/vn83-a?from={day}&amp;to={day}"' in behind
    table = net.client.get("/centres/vn83-a/half-hours?table=profile&format=csv").text.splitlines()
    assert len(table) == 1 + len(rows)
    assert (
        net.client.get("/centres/vn83-a/half-hours?weekday=9&at=9", headers={"accept": "text/html"}).status_code == 422
    )


def test_every_day_of_the_strip_that_was_open_leads_to_that_day(net: Network) -> None:
    strip = page(net, "/centres/vn83-a").partition('id="live-strip"')[2].partition("</section>")[0]
    svg = strip.partition("<svg")[2].partition("</svg>")[0]
    days = [date.fromisoformat(day) for day in re.findall(r"\?from=([0-9-]+)&amp;", svg)]
    assert len(days) == 28
    assert days[-1] == TODAY
    assert all(day.weekday() < 5 for day in days)
    assert svg.count("s-closed") == (days[-1] - days[0]).days + 1 - 28


@pytest.mark.parametrize(
    "path", ["/counters", "/counters?from=2026-11-20", "/half-hours", "/half-hours?weekday=0&at=07:00"]
)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_parts_of_a_centre_are_sound_html(net: Network, path: str, lang: str) -> None:
    outline = Outline(page(net, f"/centres/vn83-a{path}{'&' if '?' in path else '?'}lang={lang}"))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    for address in outline.fetched:
        assert address.startswith(("/", "#"))


def test_counters_are_those_of_the_history_by_centre(tmp_path: Path) -> None:
    net = network(tmp_path)
    net.live("vn83-a")
    start = local_ms(TODAY, time(8), ZONE)
    sums = {
        "counter_known_ms": 4 * SLOT,
        "counter_open_ms": 2 * SLOT,
        "counter_busy_ms": SLOT,
        "counter_service_ms": SLOT,
    }
    for at in range(start, start + HALF_HOUR_MS, SLOT):
        net.total("counters:vn83-a", "5m", at, sums)
    table = net.client.get("/centres/vn83-a/counters?table=half-hours&format=csv").text
    row = next(row for row in csv.DictReader(io.StringIO(table)) if row["half_hour"] == "08:00")
    assert [row[name] for name in ("open", "serving", "idle", "paused_or_closed", "utilisation")] == [
        "2", "1", "1", "2", "0.5",
    ]  # fmt: skip
    assert row["scheduled"] == "4", "four declared counters in the opening hours"
    html = page(net, "/centres/vn83-a/counters?lang=en")
    assert "Counters were open for 1 h in all, serving for 0.5 h (50%)." in html
    assert "Last contact" in html
    net.client.close()
    net.store.close()
