"""Timelines, days of the calendar and digital systems in full, over the API."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, ModeSpan, SingleMaintenance, Swap
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window
from telemetry.core.fold.histogram_buckets import RELATIVE_ERROR, histogram_of
from telemetry.core.fold.live_row_types import SystemNow, VantageNow
from tests.program.network import NOW, Network, busy, local
from tests.program.promises import promised, promising

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.inventory import Inventory


def ruled() -> Inventory:
    """Centre An has a holiday, a swap, an exception, an hour of maintenance and a morning online only."""
    rules = CalendarRules(
        holidays={date(2026, 11, 24): "Ngày Văn hóa"},
        swaps={date(2026, 11, 28): Swap(0, date(2026, 11, 27), "Làm bù"), date(2026, 11, 27): Swap(None)},
        modes=(ModeSpan("online_only", Window(local(7, day=26), local(9, day=26)), "dịch"),),
        maintenance=(SingleMaintenance("Thay tủ mạng", Window(local(9, 30), local(10))),),
    )
    found = promised()
    an = replace(found.centres["vn83-a"], rules=rules, exceptions={date(2026, 11, 25): ((time(8), time(9)),)})
    portal = replace(found.systems["vn83-portal"], vantage=("vn83-a-gateway1", "vn83-b-gateway1"), quorum=2)
    return replace(found, centres={**found.centres, "vn83-a": an}, systems={"vn83-portal": portal})


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(promising(tmp_path, ruled()))
    yield found
    found.store.close()


def get(net: Network, path: str, **params: str | int) -> dict[str, Any]:
    answer = net.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put(net: Network, scope: str, start: int, **sums: int) -> None:
    """Put one 5-minute total in place of what is there."""
    kept = [t for t in net.held.get(("vn83-a", "5m"), []) if (t.scope, t.start) != (scope, start)]
    net.held["vn83-a", "5m"] = kept
    net.total(scope, "5m", start, {f"{name}_ms": ms for name, ms in sums.items()})


def segments(net: Network, path: str, start: str, end: str, **params: str) -> list[tuple[object, ...]]:
    day = "2026-11-23T{}:00+07:00"
    window = {"from": day.format(start), "to": day.format(end)}
    found = get(net, f"{path}/timeline", **window, **params)["data"]
    assert sum(s["seconds"] for s in found) == sum_of(window)
    assert all(one["to"] == other["from"] for one, other in pairwise(found))
    return [(s["from"][11:19], s["state"], s["cause"]) for s in found]


def sum_of(window: dict[str, str]) -> int:
    start, end = (datetime.fromisoformat(window[name]) for name in ("from", "to"))
    return round((end - start).total_seconds())


def test_pure_cells_are_one_segment_and_closed_time_says_so(net: Network) -> None:
    assert segments(net, "centres/vn83-a", "06:00", "08:00") == [
        ("06:00:00", "closed", None), ("07:00:00", "up", None),
    ]  # fmt: skip
    assert segments(net, "centres/vn83-a", "09:00", "10:00") == [
        ("09:00:00", "up", None), ("09:30:00", "excluded", "maintenance"),
    ]  # fmt: skip


def test_five_minutes_of_several_states_are_mixed_whatever_is_beside_them(net: Network) -> None:
    put(net, "centre:vn83-a", local(8), up=2 * MINUTE, down=3 * MINUTE)
    put(net, "centre:vn83-a", local(8, 5), up=0, down=SLOT)
    put(net, "centre:vn83-a", local(8, 10), up=4 * MINUTE + 250, link=MINUTE - 250)
    window = {"from": "2026-11-23T07:55:00+07:00", "to": "2026-11-23T08:20:00+07:00"}
    found = get(net, "centres/vn83-a/timeline", **window)
    names = ("state", "cause", "seconds", "parts", "parts_ms")
    assert [tuple(s[name] for name in names) for s in found["data"]] == [
        ("up", None, 300, None, None),
        ("mixed", "device", 300, {"up": 120, "down": 180}, {"up": 120_000, "down": 180_000}),
        ("down", "device", 300, None, None),
        ("mixed", "link", 300, {"up": 240, "unknown": 60}, {"up": 240_250, "unknown": 59_750}),
        ("up", None, 300, None, None),
    ]  # fmt: skip
    assert {s["parts_by_cause"] for s in found["data"]} == {None}
    assert found["meta"]["coverage"] == (1500 - 60) / 1500
    assert found["meta"]["calendar_version"] == net.queries.network().centre("vn83-a").calendar.version


def test_a_timeline_adds_up_to_the_availability_of_its_window(net: Network) -> None:
    put(net, "centre:vn83-a", local(8), up=2 * MINUTE + 333, down=MINUTE + 333, platform=MINUTE)
    put(net, "centre:vn83-a", local(8, 5), up=400, down=SLOT - 400)
    put(net, "centre:vn83-a", local(8, 10), up=400, link=MINUTE)
    window = {"from": "2026-11-23T07:30:00+07:00", "to": "2026-11-23T08:30:00+07:00"}
    segments, totals = get(net, "centres/vn83-a/timeline", **window)["data"], Counter[str]()
    for one in segments:
        totals.update(one["parts_ms"] or {one["state"]: one["seconds"] * 1000})
    answer = get(net, "availability", scope="centre:vn83-a", **window)["data"][0]["seconds"]
    assert [round(totals[state] / 1000) for state in ("up", "down", "excluded")] == [
        answer["up"], answer["down"], answer["excluded"],
    ]  # fmt: skip
    assert round((totals["up"] + totals["down"] + totals["unknown"]) / 1000) == answer["open"]


def test_five_minutes_without_contact_for_two_causes_have_the_seconds_of_both(net: Network) -> None:
    put(net, "device:vn83-a-kiosk1", local(8), link=3 * MINUTE)
    window = {"from": "2026-11-23T08:00:00+07:00", "to": "2026-11-23T08:05:00+07:00"}
    (found,) = get(net, "devices/vn83-a-kiosk1/timeline", **window)["data"]
    assert (found["state"], found["cause"], found["parts"]) == ("unknown", "link", None)
    assert found["parts_by_cause"] == {"link": 180, "late": 120}


def test_gaps_have_causes_and_a_dead_centre_is_the_parent(net: Network) -> None:
    kiosk = "device:vn83-a-kiosk1"
    put(net, kiosk, local(7), up=SLOT)
    put(net, kiosk, local(7, 5), link=SLOT)
    put(net, kiosk, local(7, 10), platform=SLOT)
    put(net, kiosk, local(7, 15), down=SLOT)
    put(net, "centre:vn83-a", local(7, 15), down=SLOT)
    put(net, kiosk, local(7, 20), down=SLOT)
    net.queries.store_stats()  # one row of the kiosk is announced and missing: the rest is late
    window = {"from": "2026-11-23T07:00:00+07:00", "to": "2026-11-23T07:30:00+07:00"}
    found = get(net, "devices/vn83-a-kiosk1/timeline", **window)["data"]
    assert [(s["state"], s["cause"], s["caused_by"]) for s in found] == [
        ("up", None, None), ("unknown", "link", "centre:vn83-a"), ("excluded", "platform", None),
        ("down", "device", "centre:vn83-a"), ("down", "device", None), ("unknown", "late", None),
    ]  # fmt: skip
    settled = {"from": "2026-11-12T07:00:00+07:00", "to": "2026-11-12T08:00:00+07:00"}
    old = get(net, "devices/vn83-a-kiosk1/timeline", **settled)["data"]
    assert [(s["state"], s["cause"], s["settled"]) for s in old] == [("unknown", "device", True)]


def test_connectivity_has_a_timeline_of_its_own(net: Network) -> None:
    put(net, "device:vn83-a-kiosk1", local(7), up=SLOT, conn_down=SLOT)
    assert segments(net, "devices/vn83-a-kiosk1", "07:00", "07:05", sli="connectivity") == [
        ("07:00:00", "down", "device")
    ]


def test_the_running_five_minutes_are_left_out(net: Network) -> None:
    found = get(net, "centres/vn83-a/timeline")
    assert (found["meta"]["from"][11:16], found["meta"]["to"][11:16]) == ("00:00", "10:00")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("centres/x/timeline", 404, "unknown-centre"),
        ("devices/x/timeline", 404, "unknown-device"),
        ("centres/vn83-a/timeline?from=2026-01-01", 422, "invalid-window"),
        ("centres/vn83-a/timeline?sli=beauty", 422, "invalid-request"),
        ("calendar/x/days", 404, "unknown-centre"),
        ("calendar/vn83-a/days?from=2020-01-01", 422, "invalid-window"),
    ],
)
def test_every_refusal_is_a_problem(net: Network, path: str, status: int, code: str) -> None:
    answer = net.client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_every_day_of_the_calendar_is_explained(net: Network) -> None:
    found = get(net, "calendar/vn83-a/days", **{"from": "2026-11-23", "to": "2026-11-30"})
    days = {day["date"][8:]: day for day in found["data"]}
    assert [d["reason"] for d in found["data"]] == ["week", "holiday", "exception", "week", "swap", "swap", "week"]
    assert (days["24"]["name"], days["24"]["open"], days["24"]["open_s"]) == ("Ngày Văn hóa", [], 0)
    assert days["25"]["open"] == [{"from": "2026-11-25T08:00:00+07:00", "to": "2026-11-25T09:00:00+07:00"}]
    assert (days["28"]["swapped_with"], days["28"]["open_s"]) == ("2026-11-27", 8 * 3600)
    gone = days["23"]["excluded"][0]
    assert (gone["cause"], gone["reason"], days["23"]["excluded_s"]) == ("maintenance", "Thay tủ mạng", 1800)
    assert (days["26"]["modes"][0]["mode"], days["26"]["excluded"][0]["cause"]) == ("online_only", "online_only")
    assert {d["calendar_version"] for d in found["data"]} == {found["meta"]["calendar_version"]}


def test_the_calendar_begins_today_unless_said(net: Network) -> None:
    found = get(net, "calendar/vn83-b/days")["data"]
    assert (found[0]["date"], len(found)) == ("2026-11-23", 8)


def test_a_system_shows_silent_vantage_points_latency_and_certificate(net: Network) -> None:
    seen = (VantageNow(device="vn83-a-gateway1", state="up", at=NOW, latency_ms=80, tls_days=12.5,
                       tls_certificate="intermediate"),
            VantageNow(device="vn83-x", state="up", at=NOW, tls_days=20))  # fmt: skip
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="unknown", vantage=seen))
    probes = {"probes": 12, "probes_ok": 10, "latency_sum_ms": 1500, "latency_histogram": 10 * histogram_of(150)}
    for hour in (8, 9):
        net.total("system:vn83-portal", "1h", local(hour), {"up_ms": HOUR, "open_up_ms": HOUR, **probes})
    data = get(net, "systems/vn83-portal")["data"]
    assert [(v["device"], v["declared"], v["at"] is None, v["state"]) for v in data["vantage"]] == [
        ("vn83-a-gateway1", True, False, "up"), ("vn83-b-gateway1", True, True, "unknown"),
        ("vn83-x", False, False, "up"),
    ]  # fmt: skip
    assert data["quorum_of"] == {"k": 2, "n": 2, "up": 1, "down": 0, "unknown": 1}
    p50, p95 = (data["latency_24h"].pop(name) for name in ("p50_ms", "p95_ms"))
    assert data["latency_24h"] == {"probes": 24, "ok": 20, "count": 20, "mean_ms": 150}
    assert p50 == p95 == pytest.approx(150, rel=RELATIVE_ERROR)
    assert data["tls_expiry"] == {
        "days": 12.5, "tls_certificate": "intermediate", "device": "vn83-a-gateway1", "at": "2026-11-23T10:02:30+07:00",
    }  # fmt: skip
    assert [v["tls_certificate"] for v in data["vantage"]] == ["intermediate", None, None]
    day = data["availability_24h"]
    assert (day["seconds"]["up"], day["availability"]) == (7200, 1.0)
    assert day["coverage"] == 7200 / day["seconds"]["open"]
    assert data["availability_28d"]["seconds"]["open"] == 28 * 86400
