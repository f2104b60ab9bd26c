"""The API of indicators over a real store: every row, values by bucket and level, targets, pace, Decision 766."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.inventory import ProcedureCount, Target
from telemetry.core.kpi.catalogue import INDICATORS
from tests.program.network import MIDNIGHT, Network, busy, inventory, local, network, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000
OCTOBER_1 = MIDNIGHT - 53 * DAY


def communes(year: int, value: float) -> Target:
    return Target("DG-01-commune", "Số hóa", "Digitised", value, "ratio", date(year, 12, 31))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Fill two months: dossiers at two levels, ratings, a catalogue, payments, waits, a system."""
    declared = inventory()
    targets = (*declared.targets, *(communes(2021 + k, 0.15 + 0.2 * k) for k in range(5)), communes(2029, 1.0))
    counts = tuple(
        ProcedureCount(f"{level}-{measure}", level, measure, count, date(2026, 10, 1), date(2026, 10, 31))
        for level, measure, count in (
            ("partial", "procedures", 5), ("full", "procedures", 9), ("partial-full", "on_national_portal", 7),
        )
    )  # fmt: skip
    found = busy(network(tmp_path_factory.mktemp("kpis"), replace(declared, targets=targets, procedures=counts)))
    put_october(found)
    put_november(found)
    yield found
    found.store.close()


def put_october(net: Network) -> None:
    net.total("administration:vn83-a:commune", "1d", OCTOBER_1, {
        "received_online": 2, "received_direct": 8, "resolved_online": 1, "resolved_direct": 9, "resolved_digital": 2,
        "resolved_on_time": 9, "resolved_late": 1, "petitions_received": 1,
    })  # fmt: skip


def put_november(net: Network) -> None:
    yesterday = MIDNIGHT - DAY
    net.total("administration:vn83-a:commune", "1d", yesterday, {
        "received_online": 6, "received_direct": 4, "resolved_online": 2, "resolved_direct": 8, "resolved_digital": 4,
        "resolved_on_time": 10, "resolved_with_fee": 4, "resolved_paid_online": 3, "payments_ok": 3,
        "catalogue_procedures": 20, "catalogue_full": 10, "catalogue_partial": 4, "catalogue_with_fee": 5,
        "catalogue_internal": 0, "catalogue_internal_published": 0,
        **dict.fromkeys([f"snapshots_{x}" for x in
                         ("procedures", "full", "partial", "with_fee", "internal", "internal_published")], 1),
    })  # fmt: skip
    net.total("administration:vn83-a:province", "1h", local(8), {
        "resolved_online": 1, "received_online": 1, "documents": 4, "documents_electronic": 3, "outgoing": 0,
    })  # fmt: skip
    net.total("procedure:vn83-a:1.001", "1d", yesterday, {"received": 10, "received_online": 6, "payments_ok": 3})
    net.total("procedure:vn83-a:1.002", "1d", yesterday, {"received": 2})
    net.total("desk:vn83-a:land", "1d", yesterday, {**waits(60, 120), "ratings": 10, "ratings_good": 9})


def rows(net: Network, **params: str | int) -> dict[str, dict[str, Any]]:
    answer = net.client.get("/api/v1/kpis", params={"limit": 500, **params})
    assert answer.status_code == 200, answer.text
    return {row["id"]: row for row in answer.json()["data"]}


def figures(row: dict[str, Any]) -> tuple[str, int | None, int | None, float | None]:
    return row["state"], row["numerator"], row["denominator"], row["value"]


def test_every_row_of_the_catalogue_is_answered_in_its_order(net: Network) -> None:
    found = rows(net)
    assert list(found) == list(INDICATORS)
    for row in found.values():
        assert row["state"] == "ok" or row["value"] is None
        assert row["state"] != "no_source" or (row["numerator"], row["denominator"]) == (None, None)


@pytest.mark.parametrize(
    ("ident", "expected"),
    [
        ("DG-01", ("ok", 6, 21, 6 / 21)),
        ("DG-02", ("ok", 0, 20, 0.0)),
        ("DG-03", ("ok", 1, 5, 0.2)),
        ("DG-03b", ("ok", 3, 4, 0.75)),
        ("DG-04", ("ok", 9, 10, 0.9)),
        ("DG-05", ("no_data", 0, 0, None)),
        ("DG-06", ("ok", 10, 20, 0.5)),
        ("DG-07", ("no_source", None, None, None)),
        ("DG-09", ("no_source", None, None, None)),
        ("DG-12", ("ok", 3, 4, 0.75)),
        ("DG-16", ("ok", 19, 20, 0.95)),
        ("DG-17", ("ok", 9, 21, 9 / 21)),
        ("Q-01", ("ok", 2, None, 2)),
        ("Q-02", ("ok", 180_000, 2, 90)),
        ("Q-04b", ("ok", 180_000, 2, 90)),
        ("Q-13", ("ok", 3, None, 3)),
        ("A-12", ("ok", 4, 4, 1.0)),
        ("A-14", ("ok", 4, 5, 0.8)),
        ("X-02", ("no_source", None, None, None)),
    ],
)
def test_a_row_has_its_value_with_numerator_and_denominator(
    net: Network, ident: str, expected: tuple[str, int | None, int | None, float | None]
) -> None:
    assert figures(rows(net)[ident]) == expected


def test_a_row_says_its_levels_source_and_freshness(net: Network) -> None:
    found = rows(net)
    row = found["DG-01"]
    assert {level: figures(value) for level, value in row["by_level"].items()} == {
        "commune": ("ok", 6, 20, 0.3),
        "province": ("ok", 0, 1, 0.0),
    }
    assert (row["source"], row["strand"], row["unit"], row["direction"]) == ("events", "procedures", "ratio", "up")
    assert row["freshness"] == "2026-11-23T08:00:00+07:00"
    assert found["DG-03b"]["freshness"] == "2026-11-22T00:00:00+07:00"
    assert found["DG-09"]["freshness"] is None
    assert found["Q-02"]["freshness"] == "2026-11-23T00:00:00+07:00"
    assert row["declared_counts"] is False
    assert found["DG-04"]["interval"] == {
        "low": pytest.approx(0.5958, abs=1e-4),
        "high": pytest.approx(0.9821, abs=1e-4),
    }


def test_a_target_has_its_path_its_gap_and_where_the_pace_leads(net: Network) -> None:
    (trajectory,) = rows(net)["DG-01"]["trajectories"]
    assert (trajectory["level"], trajectory["target"]) == ("commune", {"by": "2029-12-31", "value": 1.0})
    path_value = 0.95 + 0.05 * 327 / 1461
    assert trajectory["path_value"] == pytest.approx(path_value)
    assert (trajectory["measured"], trajectory["on_track"]) == (0.3, False)
    assert trajectory["gap"] == pytest.approx(0.3 - path_value)
    assert trajectory["gap_points"] == pytest.approx(100 * (0.3 - path_value))
    assert trajectory["projection"] == {"on": "2027-01-31", "reason": "at_present_pace"}
    wait = rows(net)["Q-04b"]["trajectories"][0]
    assert (wait["target"]["value"], wait["gap"], wait["gap_points"], wait["on_track"]) == (900, -810, None, True)
    assert wait["projection"] == {"on": "2026-11-23", "reason": "reached"}


def test_the_least_gain_takes_the_communes_to_95_percent_in_2025(net: Network) -> None:
    point = rows(net)["DG-01"]["trajectories"][0]["points"][4]
    assert point == {"by": "2025-12-31", "value": pytest.approx(0.95)}
    assert "95 %" in rows(net)["DG-01"]["note_en"]


def test_the_list_is_filtered_and_paged(net: Network) -> None:
    assert all(row["strand"] == "public_finance" for row in rows(net, strand="public_finance").values())
    assert {row["source"] for row in rows(net, source="live").values()} == {"live"}
    assert {row["state"] for row in rows(net, state="no_source").values()} == {"no_source"}
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = net.client.get("/api/v1/kpis", params={"limit": 7} | ({"cursor": cursor} if cursor else {})).json()
        ids, cursor = ids + [row["id"] for row in page["data"]], page["next"]
    assert ids == list(INDICATORS)


def test_a_past_window_has_no_present_figures_and_its_own_flows(net: Network) -> None:
    found = rows(net, window="2026-10")
    assert figures(found["DG-01"]) == ("ok", 2, 10, 0.2)
    assert figures(found["DG-07"]) == ("ok", 7, 14, 0.5)
    assert found["DG-07"]["declared_counts"] is True
    assert figures(found["Q-13"])[0] == "no_data"
    assert figures(found["A-12"])[0] == "no_data"
    assert found["DG-01"]["trajectories"][0]["measured"] == 0.2


def test_values_are_listed_by_month_day_and_level(net: Network) -> None:
    def values(**params: str) -> list[tuple[str, int | None, int | None]]:
        answer = net.client.get("/api/v1/kpis/DG-01/values", params={"limit": "500", **params})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        return [(row["from"][:10], row["numerator"], row["denominator"]) for row in data if row["state"] == "ok"]

    span = {"from": "2026-09-01", "to": "2026-11-24"}
    assert values(**span) == [("2026-09-01", 6, 21)]
    assert values(**span, bucket="1mo") == [("2026-10-01", 2, 10), ("2026-11-01", 4, 11)]
    assert values(**span, bucket="1mo", level="commune") == [("2026-10-01", 2, 10), ("2026-11-01", 4, 10)]
    assert values(**span, bucket="1d") == [("2026-10-01", 2, 10), ("2026-11-22", 4, 10), ("2026-11-23", 0, 1)]
    meta = net.client.get("/api/v1/kpis/DG-01/values").json()["meta"]
    assert (meta["id"], meta["unit"], meta["from"]) == ("DG-01", "ratio", "2026-01-01T00:00:00+07:00")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("kpis/DG-99/values", 404, "unknown-indicator"),
        ("kpis/score-766/values", 404, "unknown-indicator"),
        ("kpis?kpi=DG-01", 422, "invalid-request"),
        ("kpis?strand=health", 422, "invalid-request"),
        ("kpis/DG-01/values?level=ward", 422, "invalid-request"),
        ("kpis/DG-07/values?level=commune", 422, "invalid-request"),
        ("kpis/DG-01/values?bucket=5m", 422, "invalid-request"),
        ("kpis?from=2026-11-02&to=2026-11-01", 422, "invalid-window"),
        ("kpis/DG-01/values?from=1990-01-01&to=2026-01-01", 422, "invalid-window"),
        ("kpis/score-766?period=week", 422, "invalid-request"),
        ("kpis/score-766?at=yesterday", 422, "invalid-window"),
    ],
)
def test_what_is_not_there_or_not_valid_is_refused(net: Network, path: str, status: int, code: str) -> None:
    answer = net.client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_score_of_decision_766_names_its_components_and_what_is_missing(net: Network) -> None:
    score = net.client.get("/api/v1/kpis/score-766").json()["data"]
    points = {c["code"]: (c["numerator"], c["denominator"], c["points"]) for c in score["components"]}
    assert points["PROGRESS"] == (10, 11, pytest.approx(20 * 10 / 11))
    assert points["ONLINE_SERVICES"] == (14, 20, pytest.approx(2 * 0.7 / 0.8))
    assert points["SERVICES_WITH_DOSSIERS"] == (1, 14, pytest.approx(4 / 14))
    assert points["ONLINE_DOSSIERS"] == (7, 11, 6)
    assert points["DOSSIER_RECEIVING_SATISFACTION"] == (9, 10, 6)
    assert points["PETITION_PROCESSING_ON_TIME"] == (0, 0, 6)
    assert points["DOSSIER_SYNC"] == (0, 0, None)
    assert "DOSSIER_SYNC" in score["missing"]
    assert score["points"] == pytest.approx(sum(p for _, _, p in points.values() if p is not None))
    assert sum(c["maximum"] for c in score["components"]) == 100
    assert "not the legal text" in score["legal_status"]


def test_the_score_changes_over_what_both_periods_report(net: Network) -> None:
    score = net.client.get("/api/v1/kpis/score-766", params={"period": "month"}).json()["data"]
    october = net.client.get("/api/v1/kpis/score-766", params={"at": "2026-10-15"}).json()["data"]
    assert (score["from"], october["from"]) == ("2026-11-01T00:00:00+07:00", "2026-10-01T00:00:00+07:00")
    assert october["points"] == pytest.approx(score["previous_points"])
    now, then = ({c["code"]: c["points"] for c in s["components"]} for s in (score, october))
    shared = [code for code, points in now.items() if None not in (points, then[code])]
    assert score["delta"] == pytest.approx(sum(now[code] - then[code] for code in shared))
    year = net.client.get("/api/v1/kpis/score-766", params={"period": "year"}).json()["data"]
    assert {c["code"]: c["numerator"] for c in year["components"]}["PROGRESS"] == 19
