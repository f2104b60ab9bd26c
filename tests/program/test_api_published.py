"""What `/availability` says beside its figures: connectivity, months, what was published and what has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import HOUR, SLOT, day_window
from telemetry.core.inventory import PublishedFigures
from telemetry.queries.service import Queries
from tests.api_client import client_over
from tests.program.network import Network, inventory, local, network

if TYPE_CHECKING:
    from pathlib import Path

OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}
DAY = day_window(date(2026, 10, 5), inventory().zone)


@pytest.fixture
def net(tmp_path: Path) -> Network:
    """October was published with the first Monday's first hour as an outage; since then nothing else was heard."""
    found = network(tmp_path)
    scope = "centre:vn83-a"
    open_s = int(sum(w.length for w in found.queries.inventory().centres["vn83-a"].open_windows(_october())) // 1000)
    row = PublishedFigures("2026-10", scope, "", open_s, 0, 3600, open_s - 3600, 0)
    declared = replace(found.queries.inventory(), published={("2026-10", scope, ""): row})
    found.queries = Queries(found.store, lambda: declared, lambda: found.time[0])
    found.client = client_over(found.queries)
    return found


def _october() -> Any:  # noqa: ANN401
    first, last = day_window(date(2026, 10, 1), inventory().zone), day_window(date(2026, 10, 31), inventory().zone)
    return replace(first, end=last.end)


def rows(net: Network, **asked: str) -> list[dict[str, Any]]:
    answer = net.client.get("/api/v1/availability", params={"scope": "centre:vn83-a", **OCTOBER, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_a_published_month_shows_what_was_published_and_no_correction(net: Network) -> None:
    net.total("centre:vn83-a", "1d", DAY.start, {"open_down_ms": HOUR})
    (row,) = rows(net, bucket="1mo")
    assert (row["state"], row["correction"], row["published"]["month"]) == ("published", None, "2026-10")
    assert row["published"]["seconds"] == row["seconds"]
    assert row["published"]["availability"] == 0.0


def test_a_late_point_makes_a_correction_and_leaves_the_published_figure(net: Network) -> None:
    net.total("centre:vn83-a", "1d", DAY.start, {"open_up_ms": HOUR})
    (row,) = rows(net)
    assert row["correction"] == {"open": 0, "up": 3600, "down": -3600, "unknown": 0, "excluded": 0, "not_in_service": 0}
    assert (row["seconds"]["up"], row["published"]["seconds"]["down"]) == (3600, 3600)
    assert (row["availability"], row["published"]["availability"]) == (1.0, 0.0)


def test_other_windows_and_clocks_have_nothing_published(net: Network) -> None:
    assert {row["state"] for row in rows(net, bucket="1d")} == {"settled"}
    assert rows(net, clock="wall")[0]["published"] is None
    assert rows(net, sli="connectivity")[0]["published"] is None


def test_connectivity_is_told_apart_from_service(net: Network) -> None:
    start = local(8)
    net.total("centre:vn83-a", "5m", start, {"up_ms": SLOT, "conn_down_ms": SLOT})
    window = {"from": "2026-11-23T08:00:00+07:00", "to": "2026-11-23T08:05:00+07:00"}
    service, contact = (rows(net, sli=sli, **window)[0] for sli in ("service", "connectivity"))
    assert (service["availability"], contact["availability"]) == (1.0, 0.0)
    assert contact["capacity"] is None


def test_an_unknown_figure_is_refused(net: Network) -> None:
    answer = net.client.get("/api/v1/availability", params={"scope": "country", "sli": "happiness"})
    assert answer.status_code == 422
