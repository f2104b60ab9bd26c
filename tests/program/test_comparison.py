"""Comparisons as a page and in the API: figures of the histories, like parts of periods, what a wrong one gets."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from api.pages.comparison.choices import PERIOD_PAIRS, choose_periods, fold_accents
from telemetry.core.calendar.windows import HOUR, Window, to_local, to_ms
from telemetry.queries.queues import queue_history_rows
from tests.program.network import ZONE, Network, busy, centre, centre_now, inventory, local, network, waits
from tests.program.test_history_pages import put_totals, ticket
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from api.pages.comparison.choices import PeriodPair
    from telemetry.core.inventory import Centre
    from telemetry.queries.totals_cache import TotalsReader

WEEKS = "?periods=last-week"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two weeks that no test changes."""
    built = two_weeks(tmp_path_factory.mktemp("compared"))
    yield built
    built.store.close()


def two_weeks(path: Path) -> Network:
    """Return An's quick days of 16–20 November and slow ones of 9–13, and Ba's slow ones of 16–20."""
    built = busy(network(path))
    ticket(built, "vn83-a", "tax", (20, 8, 40), {**waits(1800), "issued": 4, "abandoned": 2, "no_show": 1})
    for day in range(16, 21):
        ticket(built, "vn83-a", "land", (day, 9, 0), waits(*[240 + 10 * day] * 8))
        ticket(built, "vn83-b", "land", (day, 9, 0), waits(*[1200 + 10 * day] * 8))
        put_totals(built, "centre:vn83-a", (day, 9, 0), {"up_ms": HOUR, "open_up_ms": HOUR})
    for day in range(9, 14):
        ticket(built, "vn83-a", "land", (day, 9, 0), waits(*[1200 + 10 * day] * 8))
    return built


def answer(net: Network, query: str) -> dict[str, Any]:
    response = net.client.get("/api/v1/comparison" + query)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def twin(net: Network, html: str) -> dict[str, Any]:
    """Return the API's answer that the page links in its footer."""
    match = re.search(r'href="(/api/v1/comparison\?[^"]*)"', html)
    assert match is not None
    return answer(net, "?" + match[1].replace("&amp;", "&").partition("?")[2])


def figures(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in data["figures"]}


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("query", ["", WEEKS, "?centre1=vn83-a&centre2=vn83-b&periods=last-week"])
def test_a_comparison_is_sound_html_in_both_languages(net: Network, query: str, lang: str) -> None:
    outline = Outline(page(net, f"/compare{query or '?'}&lang={lang}"))
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.inline == []
    assert {"figures", "table-comparison", "charts"} <= set(outline.ids)
    for address in outline.fetched:
        assert net.client.get(address).status_code == 200, address


def test_a_quicker_week_is_better_and_says_by_how_much(net: Network) -> None:
    html = page(net, f"/compare{WEEKS}&centre1=vn83-a&lang=en")
    data = twin(net, html)
    wait = figures(data)["wait_mean"]
    assert (data["first"]["from"], data["first"]["to"]) == ("2026-11-16T00:00:00+07:00", "2026-11-23T00:00:00+07:00")
    assert (data["first"]["centre"], data["second"]["from"]) == ("vn83-a", "2026-11-09T00:00:00+07:00")
    assert wait["verdict"] == "better"
    by, first, second = (round(abs(wait[name]) / 60, 1) for name in ("difference", "first", "second"))
    assert f"Last week people waited {by:g} min less than the week before it: {first:g} min on average against" in html
    assert f"{second:g} min." in html
    assert "Better: mean wait; wait that 90% did not exceed; share called within 15 min." in html
    assert 'class="hero mood-better"' in html


def test_the_figures_are_those_of_the_history(net: Network) -> None:
    data = answer(net, "?centre=vn83-a&from=2026-11-16&to=2026-11-23&other_from=2026-11-09")
    history = net.client.get(
        "/api/v1/queues/history?centre=vn83-a&by=centre&from=2026-11-16&to=2026-11-23&bucket=total"
    ).json()["data"][0]
    shown = figures(data)
    assert shown["issued"]["first"] == history["issued"]
    assert shown["served"]["first"] == history["served"]
    assert shown["wait_mean"]["first"] == pytest.approx(history["wait"]["mean_s"])
    assert shown["wait_p90"]["first"] == history["wait"]["p90_s"]
    assert shown["within"]["first"] == pytest.approx(history["within"]["ratio"])
    assert shown["abandoned"]["first"] == pytest.approx(history["abandoned"] / history["issued"])
    assert data["first"]["open_days"] == 5
    availability = net.client.get(
        "/api/v1/availability?scope=centre:vn83-a&from=2026-11-16&to=2026-11-23&bucket=total"
    ).json()["data"][0]
    assert shown["availability"]["first"] == availability["availability"]
    assert data["first"]["coverage"] == pytest.approx(availability["coverage"], abs=1e-6)


def test_the_province_is_the_sum_of_its_centres(net: Network) -> None:
    whole = answer(net, "?from=2026-11-16&to=2026-11-23")
    parts = [answer(net, f"?centre=vn83-{c}&from=2026-11-16&to=2026-11-23") for c in "ab"]
    assert whole["first"]["issued"] == sum(part["first"]["issued"] for part in parts) == 40 + 40 + 4
    assert whole["first"]["centre"] is None
    assert whole["second"]["to"] == whole["first"]["from"]


def test_two_centres_stand_beside_each_other_over_one_period(net: Network) -> None:
    html = page(net, "/compare?centre1=vn83-a&centre2=BA+DESK&periods=last-week&lang=en")
    data = twin(net, html)
    assert (data["first"]["centre"], data["second"]["centre"]) == ("vn83-a", "vn83-b")
    assert data["first"]["from"] == data["second"]["from"]
    assert "An desk: people waited " in html
    assert 'value="Ba desk (vn83-b)"' in html
    assert answer(net, "?centre=vn83-a&from=2026-11-16&to=2026-11-23&other_centre=vn83-b") == data


def test_more_centres_are_judged_by_the_first(tmp_path: Path) -> None:
    declared = inventory()
    world = replace(declared, centres={**declared.centres, "vn83-c": centre("vn83-c", "Cái")})
    net = network(tmp_path, world)
    for place, seconds in (("a", 300), ("b", 900), ("c", 310)):
        for day in range(16, 21):
            ticket(net, f"vn83-{place}", "land", (day, 9, 0), waits(*[seconds + day] * 8))
    html = page(net, "/compare?centre1=vn83-a&centre2=vn83-b&centre3=Mot+cua+Cai&periods=last-week&lang=vi")
    assert "Chờ ít nhất: Một cửa An, trung bình 5,3 phút. Chờ lâu nhất: Một cửa Ba, trung bình 15,3 phút." in html
    assert "+10 phút: kém hơn" in html
    assert "+0,2 phút: không khác rõ" in html
    rows = net.client.get("/compare?centre1=vn83-a&centre2=vn83-b&centre3=vn83-c&periods=last-week&table=comparison")
    assert rows.text.splitlines()[0] == "figure,side_1,side_2,side_3"
    net.store.close()


def test_a_running_week_is_compared_with_as_much_of_the_last_one(net: Network) -> None:
    html = page(net, "/compare?centre1=vn83-a&lang=en")
    data = twin(net, html)
    assert (data["first"]["from"], data["first"]["to"]) == ("2026-11-23T00:00:00+07:00", "2026-11-23T09:00:00+07:00")
    assert (data["second"]["from"], data["second"]["to"]) == ("2026-11-16T00:00:00+07:00", "2026-11-16T09:00:00+07:00")
    assert figures(data)["wait_mean"]["second"] is None
    assert "There are no calls of last week to compare with." in html
    assert "/compare?periods=last-week&amp;centre1=vn83-a" in html


def test_a_week_without_visitors_yet_shows_the_one_before(tmp_path: Path) -> None:
    net = two_weeks(tmp_path)
    net.time[0] = to_ms(datetime(2026, 11, 30, 7, 30, tzinfo=ZONE))
    html = page(net, "/compare?centre1=vn83-a&lang=en")
    assert "This week has no visitors yet" in html
    assert twin(net, html)["first"]["from"] == "2026-11-23T00:00:00+07:00"


def test_a_late_upload_changes_a_side_that_was_read_before(tmp_path: Path) -> None:
    net = two_weeks(tmp_path)
    query = "?centre=vn83-a&from=2026-11-16&to=2026-11-23"
    before = answer(net, query)["first"]["issued"]
    ticket(net, "vn83-a", "tax", (17, 10, 0), waits(60, 60))
    net.live("vn83-a")
    net.time[0] += 1000
    assert answer(net, query)["first"]["issued"] == before + 2


def test_only_a_centre_that_was_written_again_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, query = two_weeks(tmp_path), "?from=2026-11-16&to=2026-11-23"
    for ident in ("vn83-a", "vn83-b"):
        net.live(ident, centre_now(ident, net.time[0], reopened=1))
    before, read, read_rows = answer(net, query)["first"]["issued"], list[list[str]](), queue_history_rows

    def noting_rows(store: TotalsReader, centres: Sequence[Centre], *rest: Any) -> Any:  # noqa: ANN401
        read.append([c.id for c in centres])
        return read_rows(store, centres, *rest)

    monkeypatch.setattr("telemetry.queries.comparison.queue_history_rows", noting_rows)
    net.time[0] += 60_000
    assert answer(net, query)["first"]["issued"] == before
    assert read == []
    ticket(net, "vn83-a", "tax", (17, 10, 0), waits(60, 60))
    net.live("vn83-a", centre_now("vn83-a", net.time[0], reopened=2))
    assert answer(net, query)["first"]["issued"] == before + 2
    assert read == [["vn83-a"], ["vn83-a"]]


def test_the_table_downloads_with_its_verdicts(net: Network) -> None:
    rows = net.client.get(f"/compare{WEEKS}&centre1=vn83-a&table=comparison&lang=en").text.splitlines()
    assert rows[0] == "figure,side_1,side_2,difference,verdict"
    assert any(row.startswith("Mean wait (minutes),") and row.endswith(",better") for row in rows)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/compare?centre1=vn83-x", 404, "vn83-"),
        ("/compare?periods=decade", 404, ""),
        ("/compare?periods=own", 422, "first and the last day"),
        ("/compare?from=2026-11-20&to=2026-11-16", 422, "before"),
        ("/compare?service=none", 404, ""),
        ("/api/v1/comparison?other_from=2026-11-23&other_to=2026-11-22", 422, "must be later than `other_from`"),
        ("/api/v1/comparison?service=none", 404, "none"),
        ("/api/v1/comparison?within=7", 422, "exact bound"),
    ],
)
def test_what_cannot_be_compared_says_why(net: Network, path: str, status: int, says: str) -> None:
    response = net.client.get(path, headers={"Accept": "text/html", "Accept-Language": "en"})
    assert response.status_code == status
    assert says in response.text


def days(window: Window) -> tuple[str, str]:
    start, end = (to_local(t, ZONE).strftime("%Y-%m-%dT%H") for t in (window.start, window.end))
    return start, end


UNTIL = local(9)


@pytest.mark.parametrize(
    ("pair", "first", "second"),
    [
        ("week", ("2026-11-23T00", "2026-11-23T09"), ("2026-11-16T00", "2026-11-16T09")),
        ("last-week", ("2026-11-16T00", "2026-11-23T00"), ("2026-11-09T00", "2026-11-16T00")),
        ("month", ("2026-11-01T00", "2026-11-23T09"), ("2026-10-01T00", "2026-10-23T09")),
        ("last-month", ("2026-10-01T00", "2026-11-01T00"), ("2026-09-01T00", "2026-10-01T00")),
        ("week-last-year", ("2026-11-23T00", "2026-11-23T09"), ("2025-11-24T00", "2025-11-24T09")),
        ("month-last-year", ("2026-11-01T00", "2026-11-23T09"), ("2025-11-01T00", "2025-11-23T09")),
    ],
)
def test_pairs_of_periods_end_at_the_same_part(
    pair: PeriodPair, first: tuple[str, str], second: tuple[str, str]
) -> None:
    periods = choose_periods(pair, {}, ZONE, UNTIL, 92)
    assert periods.first is not None
    assert (days(periods.first), days(periods.second)) == (first, second)
    assert len(PERIOD_PAIRS) == 7


def test_a_longer_month_is_compared_with_the_whole_shorter_one() -> None:
    until = to_ms(datetime(2026, 3, 31, 9, tzinfo=ZONE))
    periods = choose_periods("month", {}, ZONE, until, 92)
    assert days(periods.second) == ("2026-02-01T00", "2026-03-01T00")


def test_chosen_days_stand_beside_others_or_those_just_before() -> None:
    own = {"from": "2026-11-10", "to": "2026-11-12"}
    assert days(choose_periods("own", own, ZONE, UNTIL, 92).second) == ("2026-11-07T00", "2026-11-10T00")
    other = {**own, "from2": "2026-10-01", "to2": "2026-10-05"}
    assert days(choose_periods("own", other, ZONE, UNTIL, 92).second) == ("2026-10-01T00", "2026-10-06T00")
    ahead = {"from": "2026-12-10", "to": "2026-12-12"}
    assert choose_periods("own", ahead, ZONE, UNTIL, 92).first is None


def test_names_are_matched_without_accents() -> None:
    assert fold_accents(" Xã Đại Điền") == "xa dai dien"
