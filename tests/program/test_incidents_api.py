"""What broke, over the API: rows, order, filters, pages and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.calendar.windows import HOUR, SLOT
from tests.program.network import NOW, Network, centre_now, local, network

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "from=2026-11-23&to=2026-11-24"


def fill_broken_morning(net: Network) -> None:
    """Until 10:00: An's kiosk is down from 8:00 to 8:20, Ba's gateway and centre are silent from 9:00 on."""
    for row in (centre_now("vn83-a", NOW), centre_now("vn83-b", NOW, state="unknown", last_data=local(8, 59))):
        net.live(row.centre, row)
    down = range(local(8), local(8, 20), SLOT)
    for scope in ("centre:vn83-a", "device:vn83-a-gateway1", "device:vn83-a-kiosk1", "device:vn83-b-kiosk1"):
        broken = down if "a-kiosk" in scope else range(0)
        sums_by_slot = {
            t: {"down_ms": SLOT} if t in broken else {"up_ms": SLOT} for t in range(local(7), local(10), SLOT)
        }
        add_totals(net, scope, sums_by_slot)
    for scope in ("centre:vn83-b", "device:vn83-b-gateway1"):
        add_totals(net, scope, {t: {"up_ms": SLOT} for t in range(local(7), local(9), SLOT)})
    add_totals(net, "system:vn83-portal", {t: {"up_ms": SLOT} for t in range(local(0), local(10), SLOT)})
    net.total("system:vn83-portal", "1d", local(0, day=22), {"open_up_ms": 24 * HOUR})
    net.time[0] = NOW


def add_totals(net: Network, scope: str, sums_by_slot: dict[int, dict[str, int]]) -> None:
    """Write slots that are all open, their hours and their day."""
    wide: dict[tuple[str, int], dict[str, int]] = {}
    for t, sums in sums_by_slot.items():
        net.total(scope, "5m", t, sums)
        for key in (("1h", t - t % HOUR), ("1d", local(0))):
            for name, value in sums.items():
                row = wide.setdefault(key, {})
                row[f"open_{name}"] = row.get(f"open_{name}", 0) + value
    for (width, start), sums in wide.items():
        net.total(scope, width, start, sums)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    built = network(tmp_path_factory.mktemp("incidents"))
    fill_broken_morning(built)
    yield built
    built.store.close()


def rows(net: Network, query: str) -> list[dict[str, Any]]:
    answer = net.client.get(f"/api/v1/incidents?{query}")
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_the_silent_centre_goes_on_and_the_kiosk_has_ended(net: Network) -> None:
    silent, kiosk = rows(net, DAY)
    assert (silent["scope"], silent["state"], silent["cause"]) == ("centre:vn83-b", "unknown", "silence")
    assert (silent["from"], silent["to"], silent["ongoing"]) == ("2026-11-23T09:00:00+07:00", None, True)
    assert silent["seconds"] == silent["whole_seconds"] == {"down": 0, "unknown": 3600}
    assert [(d["device"], d["kind"]) for d in silent["devices"]] == [("vn83-b-gateway1", "gateway")]
    assert (silent["services"], silent["name_en"], silent["critical"]) == (["land", "tax"], "Ba desk", True)
    assert (kiosk["scope"], kiosk["centre"], kiosk["kind"]) == ("device:vn83-a-kiosk1", "vn83-a", "kiosk")
    assert (kiosk["from"][11:16], kiosk["to"][11:16], kiosk["cause"]) == ("08:00", "08:20", "device")
    assert (kiosk["seconds"], kiosk["ongoing"]) == ({"down": 1200, "unknown": 0}, False)


@pytest.mark.parametrize(
    ("query", "scopes"),
    [
        ("state=down", ["device:vn83-a-kiosk1"]),
        ("state=unknown", ["centre:vn83-b"]),
        ("scope=centre:vn83-a", ["device:vn83-a-kiosk1"]),
        ("scope=device:vn83-b-gateway1", ["centre:vn83-b"]),
        ("scope=system:vn83-portal", []),
        ("scope=province:vn83", ["centre:vn83-b", "device:vn83-a-kiosk1"]),
        ("limit=1", ["centre:vn83-b"]),
    ],
)
def test_incidents_are_chosen_by_scope_and_state(net: Network, query: str, scopes: list[str]) -> None:
    assert [row["scope"] for row in rows(net, f"{DAY}&{query}")] == scopes


def test_a_list_goes_on_with_its_cursor(net: Network) -> None:
    first = net.client.get(f"/api/v1/incidents?{DAY}&limit=1").json()
    (second,) = rows(net, f"{DAY}&limit=1&cursor={first['next']}")
    assert second["scope"] == "device:vn83-a-kiosk1"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("scope=desk:vn83-a:land", 404, "cannot be read"),
        ("scope=centre:nowhere", 404, "no centre"),
        ("window=40d", 422, "at most 31 days"),
        ("state=up", 422, "state"),
    ],
)
def test_what_cannot_be_answered_is_refused(net: Network, query: str, status: int, words: str) -> None:
    answer = net.client.get(f"/api/v1/incidents?{query}")
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
