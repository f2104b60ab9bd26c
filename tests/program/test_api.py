"""The JSON API over a real store: shapes, windows, pages of rows, problems, ETags, the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from api.event_stream import parse_last_event_id
from telemetry.core.calendar.windows import HOUR, SLOT
from telemetry.core.fold.histogram_buckets import RELATIVE_ERROR
from telemetry.core.fold.live_row_types import CentreNow
from telemetry.errors import StoreUnavailable
from telemetry.queries.service import Queries
from tests.api_client import client_over
from tests.program.network import NOW, Network, busy, centre_now, inventory, local, network, waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


MORNING = {"from": "2026-11-23T07:00:00+07:00", "to": "2026-11-23T09:00:00+07:00"}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(network(tmp_path))
    yield found
    found.store.close()


def near(exact: float) -> object:
    """Equal what is within the error that percentiles may have."""
    return pytest.approx(exact, rel=RELATIVE_ERROR)


def get(net: Network, path: str, **params: str | int) -> dict[str, Any]:
    answer = net.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"data", "meta", "next"}
    return found


def refused(net: Network, path: str, status: int, code: str) -> dict[str, Any]:
    answer = net.client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["code"]) == (status, code)
    assert {"type", "title", "detail", "instance"} <= set(found)
    return found


def test_queue_history_has_the_public_shape(net: Network) -> None:
    found = get(net, "queues/history", centre="vn83-a", service="land", within=60, **MORNING)
    assert found["data"] == [
        {
            "centre": "vn83-a",
            "service": "land",
            "group": None,
            "counters": None,
            "promise": {"count": 0, "within": 0, "ratio": None, "mean_error_s": None},
            "from": "2026-11-23T07:00:00+07:00",
            "to": "2026-11-23T09:00:00+07:00",
            "issued": 2,
            "called": 2,
            "served": 2,
            "abandoned": 0,
            "no_show": 0,
            "transferred": 0,
            "transferred_in": 0,
            "closed_eod": 0,
            "recalls": 0,
            "final_wait": {"count": 2, "sum_s": 120.0, "mean_s": 60.0, "recalled_tickets": 0},
            "suspect_services": {"limit_s": None, "count": 0, "usual_count": 2, "usual_mean_s": 60.0},
            "booked": {"issued": 0, "count": 0, "sum_s": 0.0, "mean_s": None},
            "way_time": {"count": 0, "sum_s": 0.0, "mean_s": None, "p50_s": None, "p90_s": None, "p95_s": None},
            "abandonment": {"numerator": 0, "denominator": 2, "ratio": 0.0},
            "no_shows": {"numerator": 0, "denominator": 2, "ratio": 0.0},
            "negative": {"wait": 0, "way": 0, "service": 0},
            "forgotten_open": 0,
            "double_closed": 0,
            "data_quality": {"numerator": 2, "denominator": 2, "ratio": 1.0},
            "wait": {
                "count": 2,
                "sum_s": 120.0,
                "mean_s": 60.0,
                "p50_s": near(30),
                "p90_s": near(90),
                "p95_s": near(90),
            },
            "within": {"threshold_s": 60, "count": 1, "ratio": 0.5},
            "service_level": [
                {"threshold_s": x, "good": 0, "bad": 0, "ratio": None} for x in (300, 600, 900, 1800, 3600)
            ],
            "service_time": {
                "count": 2,
                "sum_s": 120.0,
                "mean_s": 60.0,
                "p50_s": near(60),
                "p90_s": near(60),
                "p95_s": near(60),
            },
        }
    ]
    meta = found["meta"]
    assert {"as_of", "from", "to", "revision", "coverage", "timezone"} <= set(meta)
    assert (meta["timezone"], meta["revision"]) == ("Asia/Ho_Chi_Minh", 3)
    assert meta["coverage"] == 1.0


def test_without_a_centre_there_is_one_row_a_centre_service_and_bucket_with_data(net: Network) -> None:
    rows = get(net, "queues/history", bucket="30m", **MORNING)["data"]
    assert [(r["service"], r["from"][11:16]) for r in rows] == [("land", "07:00"), ("land", "08:00"), ("tax", "08:30")]


@pytest.mark.parametrize("bucket", ["total", "5m", "30m", "1h", "1d"])
def test_every_bucket_adds_up_to_the_same(net: Network, bucket: str) -> None:
    rows = get(net, "queues/history", centre="vn83-a", bucket=bucket, limit=500, **MORNING)["data"]
    assert sum(r["issued"] for r in rows) == 3
    assert sum(r["wait"]["sum_s"] for r in rows) == 1320


def test_a_named_service_without_tickets_has_a_total_of_zeros(net: Network) -> None:
    rows = get(net, "queues/history", centre="vn83-b", service="tax", **MORNING)["data"]
    assert len(rows) == 1
    assert rows[0]["wait"] == {"count": 0, "sum_s": 0.0, "mean_s": None, "p50_s": None, "p90_s": None, "p95_s": None}
    assert rows[0]["within"]["ratio"] is None


def test_the_default_window_is_today_so_far_on_five_minute_marks(net: Network) -> None:
    meta = get(net, "queues/history")["meta"]
    assert (meta["from"], meta["to"]) == ("2026-11-23T00:00:00+07:00", "2026-11-23T10:05:00+07:00")


def test_availability_has_the_public_shape(net: Network) -> None:
    found = get(net, "availability", scope="centre:vn83-a", **MORNING)
    assert found["data"] == [
        {
            "scope": "centre:vn83-a",
            "from": "2026-11-23T07:00:00+07:00",
            "to": "2026-11-23T09:00:00+07:00",
            "seconds": {"open": 7200, "up": 6600, "down": 600, "unknown": 0, "excluded": 0, "not_in_service": 0},
            "availability": 6600 / 7200,
            "low": 6600 / 7200,
            "high": 6600 / 7200,
            "coverage": 1.0,
            "coverage_sufficient": True,
            "state": "provisional",
            "capacity": {"low": 0.0, "high": 0.0},
            "published": None,
            "correction": None,
        }
    ]
    assert found["meta"]["coverage"] == 1.0
    assert found["meta"]["settled_until"] == "2026-11-16T00:00:00+07:00"


@pytest.mark.parametrize("bucket", ["5m", "1h"])
def test_the_open_clock_leaves_out_the_hour_before_opening(net: Network, bucket: str) -> None:
    window = {"from": "2026-11-23T06:00:00+07:00", "to": "2026-11-23T08:00:00+07:00"}
    rows = get(net, "availability", scope="centre:vn83-a", bucket=bucket, **window)["data"]
    assert sum(r["seconds"]["open"] for r in rows) == sum(r["seconds"]["up"] for r in rows) == 3600
    assert rows[0]["availability"] is None
    wall = get(net, "availability", scope="centre:vn83-a", bucket=bucket, clock="wall", **window)["data"]
    assert sum(r["seconds"]["up"] for r in wall) == 7200


def test_a_province_is_the_sum_of_its_centres_and_silence_is_unknown(net: Network) -> None:
    row = get(net, "availability", scope="province:vn83", **MORNING)["data"][0]
    assert row["seconds"] == {
        "open": 14400,
        "up": 6600,
        "down": 600,
        "unknown": 7200,
        "excluded": 0,
        "not_in_service": 0,
    }
    assert (row["low"], row["high"], row["coverage"]) == (6600 / 14400, 13800 / 14400, 0.5)
    assert get(net, "availability", scope="country", **MORNING)["data"][0]["seconds"] == row["seconds"]


@pytest.mark.parametrize(
    ("policy", "expected"), [("exclude", 6600 / 7200), ("down", 6600 / 14400), ("up", 13800 / 14400)]
)
def test_the_policy_for_unknown_time_is_the_readers(net: Network, policy: str, expected: float) -> None:
    assert get(net, "availability", scope="country", unknown=policy, **MORNING)["data"][0]["availability"] == expected


def test_the_future_is_no_part_of_the_time_in_scope(net: Network) -> None:
    window = {"from": "2026-11-23T09:00:00+07:00", "to": "2026-11-24T00:00:00+07:00"}
    row = get(net, "availability", scope="centre:vn83-a", **window)["data"][0]
    assert row["seconds"]["open"] == (net.time[0] - net.time[0] % SLOT - local(9)) // 1000


def test_what_a_report_says_ahead_hides_nothing_unknown(net: Network) -> None:
    net.time[0] = local(9) + 10_000
    net.total("device:vn83-a-kiosk1", "5m", local(8, 55), {"up_ms": 240_000})
    net.total("device:vn83-a-kiosk1", "5m", local(9), {"up_ms": 160_000})
    window = {"from": "2026-11-23T08:55:00+07:00", "to": "2026-11-23T09:05:00+07:00"}
    found = get(net, "availability", scope="device:vn83-a-kiosk1", **window)["data"][0]["seconds"]
    assert (found["open"], found["up"], found["unknown"]) == (300, 240, 60)


def test_devices_and_systems_have_availability_too(net: Network) -> None:
    net.total("device:vn83-a-kiosk1", "1h", local(7), {"up_ms": HOUR, "open_up_ms": HOUR})
    net.total("system:vn83-portal", "1h", local(7), {"open_up_ms": HOUR - SLOT, "open_down_ms": SLOT})
    device = get(net, "availability", scope="device:vn83-a-kiosk1", **MORNING)["data"][0]
    assert device["seconds"] == {
        "open": 7200,
        "up": 3600,
        "down": 0,
        "unknown": 3600,
        "excluded": 0,
        "not_in_service": 0,
    }
    system = get(net, "availability", scope="system:vn83-portal", **MORNING)["data"][0]
    assert system["seconds"] == {
        "open": 7200,
        "up": 3300,
        "down": 300,
        "unknown": 3600,
        "excluded": 0,
        "not_in_service": 0,
    }


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.integers(0, 600),
    length=st.integers(1, 600),
    bucket=st.sampled_from(["5m", "1h", "1d"]),
    clock=st.sampled_from(["open", "wall"]),
)
def test_open_is_up_and_down_and_unknown_in_every_bucket(
    net: Network, start: int, length: int, bucket: str, clock: str
) -> None:
    from telemetry.core.calendar.windows import MINUTE, Window

    window = Window(local(5) + start * MINUTE, local(5) + (start + length) * MINUTE)
    found = net.queries.availability("country", window, bucket, clock)  # type: ignore[arg-type]
    total = net.queries.availability("country", window, "total", clock)  # type: ignore[arg-type]
    assert found.rows[0][0].start % SLOT == found.rows[-1][0].end % SLOT == 0
    for _, a in found.rows:
        assert a.open == a.up + a.down + a.unknown
    assert sum(w.length for w, _ in found.rows) == total.rows[0][0].length
    if net.time[0] >= found.window.end:
        assert sum(a.open for _, a in found.rows) == total.overall.open


def test_lists_come_in_pages_that_lose_and_repeat_nothing(net: Network) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        found = get(net, "centres", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [row["id"] for row in found["data"]]
        cursor = found["next"]
        if cursor is None:
            break
    assert seen == ["vn83-a", "vn83-b"]
    assert get(net, "queues/history", bucket="30m", limit=2, **MORNING)["next"] is not None


def test_the_network_in_one_answer(net: Network) -> None:
    found = get(net, "status")["data"]
    assert found["indicator"] == "none"
    assert found["centres"]["operational"] == found["centres"]["total"] == 2
    assert found["devices"] == {"total": 4, "up": 4, "down": 0, "unknown": 0}
    assert found["queue"] == {"waiting": 3, "serving": 1, "counters_open": 4}
    assert found["today"]["wait"]["mean_s"] == 440
    assert found["wait_target"] == {"id": "wait_mean", "value_s": 900.0, "by": "2025-12-31"}
    assert found["completeness"] == 0.8


def test_a_centre_with_its_queues_and_devices(net: Network) -> None:
    found = get(net, "centres/vn83-a")["data"]
    assert (found["condition"], found["open"], found["waiting"]) == ("operational", True, 3)
    assert found["next_change"] == "2026-11-23T11:30:00+07:00"
    assert found["services"][0]["oldest_wait_s"] >= 600
    assert [d["id"] for d in found["device_list"]] == ["vn83-a-gateway1", "vn83-a-kiosk1"]
    assert get(net, "devices/vn83-a-kiosk1")["data"]["state"] == "up"
    assert len(get(net, "centres/vn83-a/devices")["data"]) == 2


def test_a_system_with_its_vantage_points(net: Network) -> None:
    assert get(net, "systems")["data"][0]["state"] == "up"
    assert len(get(net, "systems/vn83-portal")["data"]["vantage"]) == 2


def test_a_silent_centre_is_unknown_never_green(net: Network) -> None:
    net.time[0] += 4 * 60_000
    found = get(net, "centres/vn83-a")["data"]
    assert (found["condition"], found["state"], found["devices"]["unknown"]) == ("unknown", "unknown", 2)
    assert get(net, "status")["data"]["indicator"] == "critical"


def test_a_broken_kiosk_makes_a_centre_degraded(net: Network) -> None:
    row = centre_now("vn83-a", net.time[0])
    broken = tuple({"id": d.id, "kind": d.kind, "state": "down" if d.kind == "kiosk" else "up"} for d in row.devices)
    net.live("vn83-a", centre_now("vn83-a", net.time[0], devices=broken))
    assert get(net, "centres/vn83-a")["data"]["condition"] == "degraded"


def test_queues_now(net: Network) -> None:
    rows = get(net, "queues/now", centre="vn83-a")["data"]
    assert [(r["service"], r["waiting"]) for r in rows] == [("land", 3), ("tax", 0)]
    assert len(get(net, "queues/now", service="tax")["data"]) == 2


def test_yesterdays_sums_are_not_todays(net: Network) -> None:
    net.time[0] = local(8, day=24)
    assert get(net, "queues/now", centre="vn83-a", service="land")["data"][0]["today"]["issued"] == 0


def test_completeness_counts_the_missing_row(net: Network) -> None:
    found = get(net, "completeness")
    row = {"device": "vn83-a-kiosk1", "spools": 1, "stored": 4, "refused": 0, "dropped": 0, "missing": 1,
           "highest": 5, "ratio": 0.8}  # fmt: skip
    assert found["data"] == [row]
    assert found["meta"]["totals"]["ratio"] == 0.8
    assert get(net, "completeness", device="vn83-b-kiosk1")["data"] == []


def test_a_centre_that_only_an_imported_log_knows(net: Network) -> None:
    declared = {"name_vi": "Nhật ký", "name_en": "Log", "zone": "Europe/Prague"}
    row = CentreNow(centre="replay-bank", at=NOW, state="unknown", declared=declared)
    net.live("replay-bank", row)
    net.total("desk:replay-bank:ps", "5m", local(7), waits(5))
    assert net.client.get("/api/v1/centres/replay-bank").status_code == 404, "its mapping was known, nothing imported"
    net.total("desk:replay-bank:ps", "1d", local(0), waits(5))
    net.live("replay-bank", row)
    net.time[0] += 1_000
    found = get(net, "centres/replay-bank")["data"]
    assert (found["condition"], found["timezone"], found["imported"]) == ("imported", "Europe/Prague", True)
    rows = get(net, "queues/history", centre="replay-bank", service="ps", bucket="5m", **MORNING)
    assert rows["data"][0]["from"] == "2026-11-23T01:00:00+01:00"
    assert rows["meta"]["timezone"] == "Europe/Prague"
    assert get(net, "availability", scope="country", **MORNING)["data"][0]["seconds"]["open"] == 14400


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "not-found"),
        ("/api/v1/nowhere", 404, "not-found"),
        ("/api/v1/centres/x", 404, "unknown-centre"),
        ("/api/v1/devices/x", 404, "unknown-device"),
        ("/api/v1/systems/x", 404, "unknown-system"),
        ("/api/v1/queues/now?service=x", 404, "unknown-service"),
        ("/api/v1/queues/history?service=x", 404, "unknown-service"),
        ("/api/v1/queues/history?centre=x", 404, "unknown-centre"),
        ("/api/v1/availability?scope=moon", 404, "unknown-scope"),
        ("/api/v1/availability?scope=province:vn99", 404, "unknown-province"),
        ("/api/v1/availability?scope=centre:x", 404, "unknown-centre"),
        ("/api/v1/availability", 422, "invalid-request"),
        ("/api/v1/availability?scope=country&bucket=2h", 422, "invalid-request"),
        ("/api/v1/availability?scope=country&from=yesterday", 422, "invalid-window"),
        ("/api/v1/availability?scope=country&from=2026-11-23&to=2026-11-22", 422, "invalid-window"),
        ("/api/v1/availability?scope=country&from=2020-01-01&bucket=5m", 422, "invalid-window"),
        ("/api/v1/queues/history?within=45", 422, "invalid-request"),
        ("/api/v1/centres?limit=501", 422, "invalid-request"),
        ("/api/v1/centres?cursor=!!", 400, "invalid-cursor"),
        ("/api/v1/centres?cursor=WzFd", 400, "invalid-cursor"),
        ("/api/v1/events?centre=x", 404, "unknown-centre"),
    ],
)
def test_every_refusal_is_a_problem(net: Network, path: str, status: int, code: str) -> None:
    refused(net, path, status, code)


def test_a_validation_problem_points_at_the_parameter(net: Network) -> None:
    found = refused(net, "/api/v1/queues/history?within=45", 422, "invalid-request")
    assert found["errors"][0]["pointer"] == "#/query/within"
    assert "10, 30, 60" in found["errors"][0]["detail"]


def test_a_wrong_method_is_a_problem_that_names_the_right_one(net: Network) -> None:
    answer = net.client.post("/api/v1/status")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.headers["content-type"] == "application/problem+json"


class _Gone:
    def __getattr__(self, name: str) -> object:
        def fail(*_args: object, **_named: object) -> None:
            raise StoreUnavailable(name)

        return fail


class _Wrong:
    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    ("store", "status", "code"), [(_Gone, 503, "store-unavailable"), (_Wrong, 500, "internal-error")]
)
def test_a_store_that_fails_is_a_problem(store: Callable[[], Any], status: int, code: str) -> None:
    declared = inventory()
    client = client_over(Queries(store(), lambda: declared, lambda: NOW))
    for path in ("/api/v1/status", "/readyz", "/api/v1/availability?scope=country"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/healthz").status_code == 200


def test_an_unchanged_answer_is_not_sent_again(net: Network) -> None:
    first = net.client.get("/api/v1/status")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = net.client.get("/api/v1/status", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert net.client.get("/api/v1/centres").headers["etag"] != tag
    net.live("vn83-a")
    assert net.client.get("/api/v1/status", headers={"If-None-Match": tag}).status_code == 200


def test_every_answer_carries_security_headers(net: Network) -> None:
    for path in ("/api/v1/status", "/nowhere", "/", "/metrics", "/static/page.css"):
        headers = net.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_health_and_version(net: Network) -> None:
    net.store.set_cursor((net.time[0] - 1000) * 1000)
    ready = {"status": "ok", "store": "ok", "live_age_s": 3, "rollup_age_s": 1, "backlog_hours": 0}
    assert net.client.get("/readyz").json() == ready
    assert net.client.get("/version").json() == {"version": "1.2.3", "inventory_version": "abc123"}


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize(
    ("age_ms", "status", "reasons"),
    [
        (None, 503, ["rollup has never folded anything in this store: start `motcua rollup`"]),
        (-5_000, 200, None),
        (120_000, 200, None),
        (120_001, 503, ["rollup is 120 s behind: see its log, or start `motcua rollup`"]),
        (3 * 86_400_000, 503, ["rollup is 259200 s behind: see its log, or start `motcua rollup`"]),
    ],
)
def test_an_api_is_not_ready_when_rollup_is_dead_or_behind(
    net: Network, age_ms: int | None, status: int, reasons: list[str] | None, accept: str
) -> None:
    if age_ms is not None:
        net.store.set_cursor((net.time[0] - age_ms) * 1000)
    answer = net.client.get("/readyz", headers={"Accept": accept})
    assert (answer.status_code, answer.json().get("reasons")) == (status, reasons)
    if reasons:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["detail"]) == ("not-ready", reasons[0])
    assert net.client.get("/healthz").status_code == net.client.get("/api/v1/status").status_code == 200


def test_the_schema_names_the_fields_as_they_are_sent(net: Network) -> None:
    schema = net.client.get("/api/v1/openapi.json").json()
    assert {"from", "to", "seconds"} <= set(schema["components"]["schemas"]["AvailabilityRow"]["properties"])
    assert net.client.get("/openapi.json").json() == schema


@pytest.mark.parametrize("header", [None, "", "x", "-1", "1.5", "²", "9" * 19, "9" * 5000])
def test_a_last_event_id_that_is_no_version_begins_the_stream_anew(header: str | None) -> None:
    assert parse_last_event_id(header) is None


def test_a_last_event_id_is_a_version() -> None:
    assert parse_last_event_id("1795399200000") == 1_795_399_200_000
