"""Today beside the usual day and the weeks before it, through the API, from totals that are counted by hand."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import Window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import ForecastJob
from tests.program.network import NOW, ZONE, Network, centre, centre_now, inventory, network, waits
from tests.program.test_forecasts_api import TODAY, fill

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
