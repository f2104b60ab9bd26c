"""Objectives over the API: shapes, identities, order, pages, what was never judged, how a budget went."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemetry.core.calendar.windows import SLOT
from telemetry.core.fold.live_row_types import SloNow
from telemetry.core.inventory import Objective
from tests.program.network import NOW, Network, busy, local
from tests.program.promises import WELL, WORKED, judged, promised, promising
from tests.program.test_metrics import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = judged(busy(promising(tmp_path)))
    yield found
    found.store.close()


def get(net: Network, path: str, **params: str | int) -> dict[str, Any]:
    answer = net.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"data", "meta", "next"}
    return found


def test_the_status_is_the_references_worked_example(net: Network) -> None:
    found = get(net, "slos/open/status", scope="centre:vn83-a")
    data = found["data"]
    assert (data["slo"], data["scope"], data["target"], data["status"]) == ("open", "centre:vn83-a", 0.995, "exhausted")
    assert (data["window"]["type"], data["window"]["days"], data["window"]["clock"]) == ("rolling", 28, "open")
    assert data["window"]["calendar"] == f"vn83-a@{found['meta']['calendar_version']}"
    sli = {name: round(value, 5) for name, value in data["sli"].items() if name != "unknown_as"}
    assert sli == {"value": 0.98839, "low": 0.98839, "high": 0.99311, "coverage": 0.99528, "coverage_sufficient": True}
    assert data["seconds"] == {
        "open": 597600,
        "up": 590660,
        "down": 4120,
        "unknown": 2820,
        "excluded": 0,
        "not_in_service": 0,
    }
    budget = data["budget"]
    assert (budget["total_s"], budget["consumed_s"], budget["remaining_s"]) == (2988, 6940, -3952)
    assert round(budget["remaining_ratio"], 4) == -1.3226
    assert (round(budget["total_min"], 1), budget["exhausts_at"]) == (49.8, None)
    assert data["burn"][0] == {
        "rule": "page-fast", "severity": "page", "long_s": 3600, "short_s": 300, "long": 9.5, "short": 20.0,
        "threshold": 8.3, "armed": True, "firing": True, "since": "2026-11-23T09:30:00+07:00",
    }  # fmt: skip
    assert data["burn"][1]["long"] is None
    meta = found["meta"]
    assert (meta["as_of"], meta["judged_at"]) == ("2026-11-23T10:02:30+07:00",) * 2
    assert (meta["settled_until"], meta["timezone"]) == ("2026-11-16T00:00:00+07:00", "Asia/Ho_Chi_Minh")


def test_the_identities_hold_in_every_status(net: Network) -> None:
    for slo in ("open", "wait", "portal", "month"):
        for row in get(net, f"slos/{slo}/status")["data"]:
            seconds, budget = row["seconds"], row["budget"]
            assert seconds["open"] == seconds["up"] + seconds["down"] + seconds["unknown"]
            whole = seconds["open"] or row["counted"]["good"] + row["counted"]["bad"]
            assert budget["total"] == pytest.approx((1 - row["target"]) * whole)
            assert budget["consumed"] == row["counted"]["bad"]
            assert budget["remaining"] == pytest.approx(budget["total"] - budget["consumed"])


def test_time_before_a_centre_was_in_service_is_named_wherever_an_objective_stands(net: Network) -> None:
    new = msgspec.structs.replace(WELL, open=900, up=900, good=900, excluded=150, not_in_service=100)
    row = SloNow(slo="open", at=NOW, settled_until=NOW, scopes=(WORKED, new))
    net.store.put_live_rows({"slo:open": msgspec.json.encode(row)})
    net.time[0] += 1000
    listed = next(one for one in get(net, "slos", slo="open")["data"] if one["scope"] == "centre:vn83-b")
    status = get(net, "slos/open/status", scope="centre:vn83-b")["data"]
    sums = get(net, "slos/open")["data"]["sums"]
    for answer in (listed, status, sums):
        assert (answer["seconds"]["excluded"], answer["seconds"]["not_in_service"]) == (150, 100)


def test_what_was_never_judged_is_null_and_says_so(net: Network) -> None:
    found = get(net, "slos/portal/status", scope="system:vn83-portal")
    assert (found["data"]["sli"]["value"], found["data"]["sli"]["coverage"]) == (None, None)
    assert (found["data"]["status"], found["data"]["budget"]["remaining_ratio"]) == ("no_data", None)
    assert (found["meta"]["judged_at"], found["data"]["window"]["from"]) == (None, None)


def test_tickets_have_a_budget_of_tickets(net: Network) -> None:
    data = get(net, "slos/wait/status", scope="centre:vn83-a")["data"]
    assert (data["sli"]["value"], data["sli"]["coverage"], data["counted"]) == (0.9, None, {"good": 90, "bad": 10})
    budget = data["budget"]
    assert (budget["unit"], budget["total"], budget["remaining"], budget["total_s"]) == ("tickets", 20.0, 10.0, None)


def test_the_list_begins_with_the_least_budget_and_loses_nothing(net: Network) -> None:
    rows = get(net, "slos")["data"]
    assert [(r["slo"], r["scope"]) for r in rows] == [
        ("open", "centre:vn83-a"), ("wait", "centre:vn83-a"), ("open", "centre:vn83-b"),
        ("month", "device:vn83-a-kiosk1"), ("portal", "system:vn83-portal"), ("wait", "centre:vn83-b"),
    ]  # fmt: skip
    assert rows[0]["firing"] == ["page-fast"]
    seen, cursor = [], {"limit": "2"}
    while page := get(net, "slos", **cursor):
        seen += page["data"]
        if page["next"] is None:
            break
        cursor["cursor"] = page["next"]
    assert seen == rows


def test_the_list_can_be_narrowed(net: Network) -> None:
    assert {r["slo"] for r in get(net, "slos", scope="centre:vn83-a")["data"]} == {"open", "wait"}
    assert [r["scope"] for r in get(net, "slos", status="exhausted")["data"]] == ["centre:vn83-a"]
    assert len(get(net, "slos", slo="open", status="no_data")["data"]) == 0


def test_a_definition_has_counts_sums_and_the_worst(net: Network) -> None:
    data = get(net, "slos/open")["data"]
    assert (data["target"], data["scopes"], data["unknown_as"]) == (0.995, 2, "settle")
    assert data["standing"] == {"exhausted": 1, "at_risk": 0, "healthy": 1, "no_data": 0}
    assert (data["sums"]["seconds"]["open"], data["sums"]["counted"]["bad"]) == (598600, 6940)
    assert data["sums"]["value"] == 591660 / 598600
    assert data["worst"][0]["scope"] == "centre:vn83-a"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("slos/x", 404, "unknown-slo"),
        ("slos/x/status", 404, "unknown-slo"),
        ("slos?slo=x", 404, "unknown-slo"),
        ("slos?scope=centre:x", 404, "unknown-centre"),
        ("slos?scope=moon", 404, "unknown-scope"),
        ("slos/open/status?scope=centre:x", 404, "unknown-centre"),
        ("slos/open/status?scope=system:vn83-portal", 404, "unknown-scope"),
        ("slos/open/history?scope=device:vn83-a-kiosk1", 404, "unknown-scope"),
        ("slos/open/history", 422, "invalid-request"),
        ("slos/open/history?scope=centre:vn83-a&bucket=1h&from=2026-01-01", 422, "invalid-window"),
        ("slos?sort=name", 422, "invalid-request"),
        ("slos?status=fine", 422, "invalid-request"),
    ],
)
def test_every_refusal_is_a_problem(net: Network, path: str, status: int, code: str) -> None:
    answer = net.client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_history_gives_each_bucket_and_the_budget_at_its_end(net: Network) -> None:
    window = {"from": "2026-11-23T06:00:00+07:00", "to": "2026-11-23T10:00:00+07:00"}
    rows = get(net, "slos/open/history", scope="centre:vn83-a", bucket="1h", **window)["data"]
    assert [r["seconds"]["open"] for r in rows] == [0, 3600, 3600, 3600]
    assert [r["counted"]["bad"] for r in rows] == [0, 0, 600, 0]
    assert (rows[0]["value"], rows[2]["value"], rows[1]["value"]) == (None, 3000 / 3600, 1.0)
    assert rows[2]["burn"] == pytest.approx(600 / 3600 / 0.005)
    left = 3 * 3600  # settled silence of four weeks ago leaves the rolling period
    assert rows[3]["budget"]["consumed_s"] - rows[0]["budget"]["consumed_s"] == 600 - left
    for row in rows:
        assert row["budget"]["total_s"] - row["budget"]["consumed_s"] == row["budget"]["remaining_s"]


def test_a_day_of_history_is_the_sum_of_its_hours(net: Network) -> None:
    day = {"from": "2026-11-23T00:00:00+07:00", "to": "2026-11-24T00:00:00+07:00"}
    whole = get(net, "slos/open/history", scope="centre:vn83-a", bucket="1d", **day)["data"]
    hours = get(net, "slos/open/history", scope="centre:vn83-a", bucket="1h", **day)["data"]
    assert len(whole) == 1
    for name in ("open", "up", "down", "unknown"):
        assert whole[0]["seconds"][name] == sum(h["seconds"][name] for h in hours)
    assert hours[-1]["to"] == "2026-11-23T10:00:00+07:00"


@pytest.mark.parametrize("end", ["2026-11-10", "2026-11-20"])
def test_no_history_is_kept_unasked_because_late_data_correct_settled_time(net: Network, end: str) -> None:
    path = "/api/v1/slos/open/history?scope=centre:vn83-a&from=2026-11-01&to="
    answer = net.client.get(path + end)
    assert answer.headers["cache-control"] == "no-cache"
    again = net.client.get(path + end, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_history_says_the_five_minute_marks_it_was_widened_to(net: Network) -> None:
    asked = {"from": "2026-11-23T08:02:31+07:00", "to": "2026-11-23T08:59:59+07:00"}
    found = get(net, "slos/open/history", scope="centre:vn83-a", bucket="1h", **asked)
    said = found["meta"]["from"], found["meta"]["to"]
    assert said == ("2026-11-23T08:00:00+07:00", "2026-11-23T09:00:00+07:00")
    assert said == (found["data"][0]["from"], found["data"][-1]["to"])


def test_spending_names_the_runs_the_greatest_first(net: Network) -> None:
    for mark, down in ((local(8, 20), SLOT), (local(8, 25), SLOT)):
        net.held["vn83-a", "5m"] = [t for t in net.held["vn83-a", "5m"] if (t.start, t.scope[:6]) != (mark, "centre")]
        net.total("centre:vn83-a", "5m", mark, {"up_ms": 0, "down_ms": down})
    found = get(net, "slos/open/spending", scope="centre:vn83-a")["data"]
    today = [r for r in found if r["from"].startswith("2026-11-23")]
    assert [(r["from"][11:16], r["to"][11:16], r["seconds"]) for r in today] == [("08:20", "08:30", 600)]
    assert today[0]["cause"] == "device"
    assert today[0]["parts"]["down"] == 600
    assert (today[0]["bad"], today[0]["unit"]) == (600, "seconds")
    assert sum(r["share"] for r in found) == pytest.approx(1)
    seconds = [r["seconds"] for r in found]
    assert seconds == sorted(seconds, reverse=True)


def test_waits_spend_tickets(net: Network) -> None:
    for mark, good, bad in ((local(9), 9, 1), (local(6), 5, 5)):
        net.total("desk:vn83-a:tax", "5m", mark, {"level_good_900": good, "level_bad_900": bad})
        net.total("desk:vn83-a:tax", "1h", mark, {"level_good_900": good, "level_bad_900": bad})
    rows = get(net, "slos/wait/spending", scope="centre:vn83-a")["data"]
    said = [(r["bad"], r["unit"], r["cause"]) for r in rows]
    assert said == [(5, "tickets", "queue"), (1, "tickets", "queue")]
    assert {(r["seconds"], r["parts"]) for r in rows} == {(None, None)}  # tickets are no seconds
    last = get(net, "slos/wait/history", scope="centre:vn83-a", bucket="1d")["data"][-1]
    assert (last["counted"], last["coverage"]) == ({"good": 14, "bad": 6}, None)
    assert last["budget"]["total"] == pytest.approx(4)


def test_a_day_without_readiness_spends_a_day(tmp_path: Path) -> None:
    ready = Objective("ready", "Sẵn sàng", "Ready", "centre", "readiness", 0.95, 28)
    net = promising(tmp_path, replace(promised(), objectives=(ready,)))
    for day, word in ((19, "up"), (20, "down"), (23, "up")):
        net.total("centre:vn83-a", "1d", local(0, day=day), {f"ready_{word}": 1})
    rows = get(net, "slos/ready/spending", scope="centre:vn83-a")["data"]
    settled = [r for r in rows if r["from"] < "2026-11-16"]
    fresh = [(r["from"][:10], r["bad"]) for r in rows if r["from"] >= "2026-11-16"]
    assert fresh == [("2026-11-20", 1)]
    assert settled
    last = get(net, "slos/ready/history", scope="centre:vn83-a", **{"from": "2026-11-16"})["data"]
    assert [(p["counted"]["good"], p["counted"]["bad"]) for p in last] == [
        (0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (0, 0), (0, 0), (1, 0),
    ]  # fmt: skip
    net.store.close()


def test_centres_and_the_network_show_how_objectives_stand(net: Network) -> None:
    row = get(net, "centres")["data"][0]
    assert row["capacity"] == {"low": 1, "high": 1}
    assert (row["objective"]["slo"], row["objective"]["status"]) == ("open", "exhausted")
    assert row["objective"]["remaining_min"] == pytest.approx(-3952 / 60)
    pills = get(net, "centres/vn83-a")["data"]["objectives"]
    assert [(p["slo"], p["status"]) for p in pills] == [("open", "exhausted"), ("wait", "healthy")]
    assert get(net, "status")["data"]["objectives"] == {"exhausted": 1, "at_risk": 0, "healthy": 2, "no_data": 3}


def test_a_new_judgement_changes_the_tag(net: Network) -> None:
    tag = net.client.get("/api/v1/slos").headers["etag"]
    assert net.client.get("/api/v1/slos", headers={"If-None-Match": tag}).status_code == 304
    judged(net)
    assert net.client.get("/api/v1/slos", headers={"If-None-Match": tag}).status_code == 200


def samples(net: Network, path: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(net.client.get(path).text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_prometheus_has_objectives_in_short_and_one_in_full(net: Network) -> None:
    found = samples(net, "/metrics")
    here = (("scope", "centre:vn83-a"), ("slo", "open"))
    assert found["motcua_slo_objective_ratio", (("slo", "open"),)] == 0.995
    assert found["motcua_slo_window_seconds", (("slo", "month"),)] == 30 * 86400
    assert found["motcua_slo_sli_ratio", (("bound", "official"), *here)] == 590660 / 597600
    assert round(found["motcua_slo_error_budget_remaining_ratio", here], 4) == -1.3226
    assert found["motcua_slo_evaluated_timestamp_seconds", (("slo", "open"),)] == NOW / 1000
    assert found["motcua_alerts", (("severity", "page"), ("state", "firing"))] == 1
    assert not [key for key in found if ("scope", "system:vn83-portal") in key[1]]
    full = samples(net, "/metrics/slos?slo=open")
    assert full["motcua_slo_sli_ratio", (("bound", "high"), *here)] == 593480 / 597600
    assert full["motcua_slo_bad_seconds", here] == 6940
    assert full["motcua_slo_error_budget_remaining_seconds", here] == -3952
    assert full["motcua_slo_burn_rate", (("rule", "page-fast"), *here, ("window", "1h"))] == 9.5
    tickets = samples(net, "/metrics/slos?slo=wait")
    assert tickets["motcua_slo_good_events", (("scope", "centre:vn83-a"), ("slo", "wait"))] == 90


@pytest.mark.parametrize("path", ["/metrics", "/metrics/slos?slo=open", "/metrics/slos?slo=wait"])
def test_promtool_finds_nothing_to_mend(net: Network, require: Callable[[str], str], path: str) -> None:
    assert checked(require("promtool"), net.client.get(path).content) == (0, b"")


def test_the_schema_has_the_routes(net: Network) -> None:
    assert net.client.get("/api/v1/openapi.json").json()["paths"].keys() >= {
        "/api/v1/slos", "/api/v1/slos/{slo}", "/api/v1/slos/{slo}/status", "/api/v1/slos/{slo}/history",
        "/api/v1/slos/{slo}/spending",
    }  # fmt: skip
