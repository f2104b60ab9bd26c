"""Forecast, staffing and anomalies through the API: figures with their inputs, what-if, and what is missing said so."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.queueing.centre_forecast import ForecastInputs, forecast_centre
from telemetry.core.queueing.half_hours import add_half_hours
from telemetry.core.queueing.staffing import StaffingRules, WhatIf
from telemetry.queries.forecasts import expected_half_hours, staffing_plan
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import ForecastJob
from tests.program.network import NOW, ZONE, Network, centre, inventory, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TODAY = date(2026, 11, 23)
RUSH = date(2026, 11, 19)


def fill(net: Network, ident: str) -> None:
    """Write eight weeks of half hours: 10 tickets for land and 4 for tax, 9 minutes each; a rush on 19 November."""
    rng, rows = random.Random(3), []
    for day in (TODAY - timedelta(days=n) for n in range(56, 0, -1)):
        for minute in (*range(420, 690, 30), *range(810, 1020, 30)):
            if day.weekday() > 4:
                continue
            for service, mean in (("land", 10), ("tax", 4)):
                issued = rng.randint(mean - 2, mean + 2) + (90 if (day, minute, service) == (RUSH, 540, "land") else 0)
                sums = {
                    "issued": issued, "called": issued, "wait_sum_ms": issued * 300_000, "service_count": issued,
                    "service_sum_ms": issued * 540_000, "abandoned": 0,
                }  # fmt: skip
                start = local_ms(day, time(minute // 60, minute % 60), ZONE)
                rows.append(Total(ident, f"desk:{ident}:{service}", "5m", start, "vn83", sums))
    net.store.replace_totals(ident, "5m", Window(0, NOW), rows)
    net.store.replace_totals(
        ident, "1d", Window(0, NOW), [Total(ident, r.scope, "1d", r.start, "vn83", r.sums) for r in rows[:2]]
    )


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = network(tmp_path_factory.mktemp("forecasts"))
    fill(made, "vn83-a")
    job = ForecastJob(made.store, inventory, FoldFaults(made.store, lambda: NOW))
    made.store.put_live_rows(job.rows_of(centre("vn83-a", "An"), NOW))
    made.time[0] += 2000
    yield made
    made.client.close()
    made.store.close()


def get(net: Network, path: str) -> dict[str, Any]:
    answer = net.client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_tomorrow_is_forecast_half_hour_by_half_hour_with_interval_services_and_model(net: Network) -> None:
    answer = get(net, "queues/forecast?centre=vn83-a&from=2026-11-24&to=2026-11-25")
    rows, meta = answer["data"], answer["meta"]
    assert [row["from"][11:16] for row in rows if row["expected"] > 1] == [
        "07:00", "07:30", "08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00",
        "13:30", "14:00", "14:30", "15:00", "15:30", "16:00", "16:30",
    ]  # fmt: skip
    for row in rows:
        assert row["p10"] <= row["expected"] + 1
        assert row["p90"] >= row["expected"] - 1
        assert row["expected"] == pytest.approx(sum(s["expected"] for s in row["services"]), abs=0.03)
    assert sum(row["expected"] for row in rows) == pytest.approx(16 * 14, rel=0.05)
    assert (meta["status"], meta["model"]["name"], meta["model"]["history_days"]) == ("ok", "profile", 40)
    backtest = meta["model"]["backtest"]
    assert backtest["profile_wape"] == pytest.approx(backtest["profile_absolute"] / backtest["actual"])
    assert "negative binomial" in meta["formula"]
    assert meta["model"]["source"] == "stored 5-minute totals of desks: issued"


def test_ten_working_days_are_forecast_beside_today_and_pages_follow_each_other(net: Network) -> None:
    days, cursor = set(), ""
    while True:
        answer = get(net, f"queues/forecast?centre=vn83-a&limit=50{cursor}")
        days |= {row["from"][:10] for row in answer["data"]}
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert min(days) == "2026-11-23"
    assert len(days) == 11
    assert all(datetime.fromisoformat(day).weekday() < 5 for day in days)


def test_one_service_has_its_own_interval(net: Network) -> None:
    answer = get(net, "queues/forecast?centre=vn83-a&service=tax&from=2026-11-24&to=2026-11-25")
    assert {row["service"] for row in answer["data"]} == {"tax"}
    assert sum(row["expected"] for row in answer["data"]) == pytest.approx(16 * 4, rel=0.1)
    assert net.client.get("/api/v1/queues/forecast?centre=vn83-a&service=none").status_code == 404


def test_counters_needed_are_compared_with_the_roster(net: Network) -> None:
    answer = get(net, "staffing?centre=vn83-a")
    meta, rows = answer["meta"], answer["data"]
    assert (meta["date"], meta["status"]) == ("2026-11-24", "ok")
    assert (
        meta["inputs"]["mean_service_s"] == 540.0 == meta["inputs"]["service_sum_s"] / meta["inputs"]["service_count"]
    )
    assert meta["inputs"]["patience_s"] is None, "nobody left"
    assert len(rows) == 16
    for row in rows:
        assert row["offered_load"] == pytest.approx(row["arrivals"] * 540 / 1800)
        assert row["roster"] == 4
        assert row["missing"] == max(0, row["needed_on_roster"] - 4)
        assert row["expected"]["mean_wait_s"] <= 900
        assert row["expected"]["counters"] == row["needed"]
    assert {row["needed"] for row in rows} <= {5, 6}
    assert any(row["missing"] >= 1 for row in rows)


def test_what_if_closes_a_counter_or_adds_arrivals(net: Network) -> None:
    usual = get(net, "staffing?centre=vn83-a&date=2026-11-25")["data"]
    busier = get(net, "staffing?centre=vn83-a&date=2026-11-25&arrivals=1.2&close=1")
    assert busier["meta"]["goal"]["arrivals_factor"] == 1.2
    for before, after in zip(usual, busier["data"], strict=True):
        assert after["arrivals"] == pytest.approx(1.2 * before["arrivals"])
        assert after["roster"] == 3
        assert after["with_roster"]["mean_wait_s"] > before["with_roster"]["mean_wait_s"]
    none = get(net, "staffing?centre=vn83-a&date=2026-11-25&close=100")["data"]
    assert {row["with_roster"]["mean_wait_s"] for row in none} == {None}


@pytest.mark.parametrize("path", ["within=0&goal=service_level", "arrivals=0", "arrivals=5&close=4", "mean_wait=0.001"])
def test_goals_and_changes_at_the_ends_of_their_ranges_are_answered(net: Network, path: str) -> None:
    answer = get(net, f"staffing?centre=vn83-a&{path}")
    assert answer["meta"]["status"] == "ok"
    assert len(answer["data"]) == 16


def test_the_other_goal_and_shrinkage_change_what_is_needed(net: Network) -> None:
    level = get(net, "staffing?centre=vn83-a&goal=service_level&within=60&share=0.95&shrinkage=0.3")
    assert level["meta"]["goal"]["goal"] == "service_level"
    assert level["meta"]["goal"]["max_mean_wait_s"] is None
    for row in level["data"]:
        assert row["expected"]["service_level"] >= 0.95
        assert row["needed_on_roster"] == -(-row["needed"] * 10 // 7)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("staffing?centre=vn83-a&date=2026-11-28", "closed"),
        ("staffing?centre=vn83-a&date=2027-11-29", "not_made"),
        ("staffing?centre=vn83-a&date=2026-11-20", "not_made"),
        ("staffing?centre=vn83-b", "not_made"),
        ("queues/forecast?centre=vn83-b", "not_made"),
    ],
)
def test_what_is_not_known_is_said_and_no_number_is_made_up(net: Network, path: str, status: str) -> None:
    answer = get(net, path)
    assert (answer["data"], answer["meta"]["status"]) == ([], status)


def test_a_new_centre_has_too_little_data() -> None:
    place = centre("vn83-b", "Ba")
    days = [
        Total("vn83-b", "desk:vn83-b:land", "5m", local_ms(date(2026, 11, 19), time(9), ZONE), "vn83", {"issued": 9})
    ]
    made = forecast_centre(ForecastInputs(place, add_half_hours(place, days), TODAY), NOW)
    assert expected_half_hours(place, made, Window(0, 1 << 52)).status == "too_little_data"
    assert staffing_plan(place, made, TODAY, StaffingRules(), WhatIf()).status == "too_little_data"


def test_a_rush_is_listed_with_its_cause_and_what_was_expected(net: Network) -> None:
    (row,) = get(net, "queues/anomalies")["data"]
    assert (row["centre"], row["from"], row["cause"]) == ("vn83-a", "2026-11-19T09:00:00+07:00", "arrivals")
    assert row["basis"] == "earlier_days"
    (measure,) = row["measures"]
    assert (measure["measure"], measure["actual"]) == ("arrivals", pytest.approx(104, abs=5))
    assert measure["high"] < measure["actual"]
    assert get(net, "queues/anomalies?centre=vn83-a&from=2026-11-20&to=2026-11-21")["data"] == []
    assert get(net, "queues/anomalies?centre=vn83-b")["data"] == []
    assert get(net, "queues/anomalies?centre=vn83-a")["meta"]["from"] == "2026-11-03T00:00:00+07:00"


def test_a_half_hour_of_today_is_judged_ten_minutes_after_its_end(tmp_path: Path) -> None:
    made = network(tmp_path)
    fill(made, "vn83-a")
    job = ForecastJob(made.store, inventory, FoldFaults(made.store, lambda: NOW))
    made.store.put_live_rows(job.rows_of(centre("vn83-a", "An"), NOW))
    issued = {time(7): 14, time(7, 30): 14, time(8): 150, time(8, 30): 14, time(9): 14, time(9, 30): 200}
    rows = [
        Total("vn83-a", "desk:vn83-a:land", "5m", local_ms(TODAY, at, ZONE), "vn83", {"issued": count})
        for at, count in issued.items()
    ]
    made.store.replace_totals("vn83-a", "5m", Window(rows[0].start, NOW), rows)
    made.time[0] += 2000
    path = "queues/anomalies?centre=vn83-a&from=2026-11-23&to=2026-11-24"
    found = [(row["from"][11:16], row["cause"], row["basis"]) for row in get(made, path)["data"]]
    assert found == [("08:00", "arrivals", "earlier_days")], "it is 10:02: half past nine is not judged yet"
    made.time[0] = local_ms(TODAY, time(10, 11), ZONE)
    starts = [row["from"][:16] for row in get(made, "queues/anomalies?centre=vn83-a")["data"]]
    assert starts == ["2026-11-19T09:00", "2026-11-23T08:00", "2026-11-23T09:30"]
    assert get(made, "queues/anomalies?centre=vn83-a&from=2026-11-20&to=2026-11-21")["data"] == []
    made.time[0] = local_ms(TODAY, time(0, 5), ZONE)
    assert get(made, path)["data"] == []
    made.client.close()
    made.store.close()


@pytest.mark.parametrize(
    "path",
    ["staffing?centre=vn83-a&arrivals=6", "staffing?centre=vn83-a&share=1", "staffing", "queues/forecast",
     "staffing?centre=vn83-a&goal=best", "staffing?centre=vn83-a&date=x", "staffing?centre=vn83-a&close=1.5"],
)  # fmt: skip
def test_parameters_outside_their_range_are_refused(net: Network, path: str) -> None:
    assert net.client.get(f"/api/v1/{path}").status_code == 422


@pytest.mark.parametrize(
    ("lang", "texts"),
    [
        ("en", ("Expected on Tue 24 Nov 2026", "Counters needed by half hour", "Half hours that stood out",
                "Likely cause: arrivals", "Made from 40 open days since 28 Sep 2026")),
        ("vi", ("Dự báo ngày", "Số quầy cần mở theo nửa giờ", "Những nửa giờ bất thường",
                "Nguyên nhân có thể: lượng khách",
                "Tính từ 40 ngày làm việc kể từ 28/09/2026")),
    ],
)  # fmt: skip
def test_the_centres_page_shows_the_next_day_as_charts_and_as_a_table(
    net: Network, lang: str, texts: tuple[str, ...]
) -> None:
    page = net.client.get("/centres/vn83-a", headers={"accept-language": lang}).text
    section = page[page.index('id="forecast"') :].partition("</section>")[0]
    for text in texts:
        assert text in section
    assert section.count('role="img"') == section.count('aria-labelledby="fc-') == section.count("<desc ") == 2
    assert section.count('<polygon class="usual"') >= 3, "the ranges of morning and afternoon, and the roster"
    rows = get(net, "staffing?centre=vn83-a")["data"]
    table = section[section.index('<details id="fc-table">') :]
    assert table.count('<tr><th scope="row">') >= len(rows)
    most = max(row["needed_on_roster"] for row in rows)
    (peak,) = [row for row in rows if row["needed_on_roster"] == most][:1]
    assert {"en": f"needs {most} counters", "vi": f"cần {most} quầy"}[lang] in section
    assert peak["from"][11:16] in section
    for row in rows:
        assert f'<tr><th scope="row">{row["from"][11:16]}' in table


def test_a_page_without_a_forecast_says_why(net: Network) -> None:
    page = net.client.get("/centres/vn83-b", headers={"accept-language": "en"}).text
    assert "There is no forecast yet: it is made once a night." in page
    assert 'id="fc-table"' not in page


def test_the_present_half_hour_is_on_the_centres_own_metrics_page(net: Network) -> None:
    rows = get(net, "queues/forecast?centre=vn83-a&from=2026-11-23&to=2026-11-24")["data"]
    plan = get(net, "staffing?centre=vn83-a&date=2026-11-23")["data"]
    (row,) = [row for row in rows if row["from"].startswith("2026-11-23T10:00")]
    (needed,) = [row for row in plan if row["from"].startswith("2026-11-23T10:00")]
    lines = net.client.get("/metrics/centre?centre=vn83-a").text.splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if "expected" in line or "needed" in line if line[0] != "#")
    assert float(samples['motcua_expected_arrivals{centre="vn83-a"}']) == pytest.approx(row["expected"], abs=0.01)
    assert float(samples['motcua_expected_arrivals_bound{bound="p90",centre="vn83-a"}']) == row["p90"]
    assert float(samples['motcua_counters_needed{centre="vn83-a"}']) == needed["needed"]
    without = net.client.get("/metrics/centre?centre=vn83-b").text
    assert "motcua_expected_arrivals{" not in without
    assert "motcua_counters_needed{" not in without
    assert "motcua_expected_arrivals{" not in net.client.get("/metrics").text
