"""Due dates over the API: the centre's calendar, pauses, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program.network import Network, inventory, network

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    found = network(tmp_path_factory.mktemp("due"), inventory())
    yield found
    found.store.close()


def test_a_weekend_and_a_pause_do_not_count(net: Network) -> None:
    path, friday = "/api/v1/calendar/vn83-a/due", {"received": "2026-11-20", "working_days": 2}
    answer = net.client.get(path, params=friday).json()
    assert answer["data"]["counted"] == ["2026-11-23", "2026-11-24"]
    assert answer["data"]["due"].startswith("2026-11-24T")
    paused = net.client.get(path, params={**friday, "pause": "2026-11-23/2026-11-25"}).json()["data"]
    assert paused["counted"] == ["2026-11-26", "2026-11-27"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"received": "2026-11-20", "working_days": 400}, 422),
        ({"received": "yesterday", "working_days": 1}, 422),
        ({"received": "2026-11-20", "working_days": 1, "pause": "2026-11-23"}, 422),
        ({"received": "2026-11-20", "working_days": 1, "pause": "2026-11-25/2026-11-23"}, 422),
        ({"received": "2026-11-20", "working_days": 1, "pause": "2026-11-21/2035-11-23"}, 422),
    ],
)
def test_what_gives_no_due_date_is_refused(net: Network, params: dict[str, str | int], status: int) -> None:
    answer = net.client.get("/api/v1/calendar/vn83-a/due", params=params)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
