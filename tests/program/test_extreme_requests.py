"""Numbers, times, cursors and headers without bounds in requests: a clear 4xx or the usual answer, never a 5xx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program.network import Network, network

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = "9" * 5_000
REFUSED = (
    ("centres?limit=" + DIGITS, 422), ("centres?limit=-" + DIGITS, 422), ("centres?limit=1e999", 422),
    ("centres?limit=inf", 422), ("centres?limit=%D9%A1", 422), ("centres?cursor=" + DIGITS, 422),
    ("centres?cursor=WzFlOTk5XQ==", 400), ("centres?cursor=%00", 400), ("centres?cursor=W1tbW1tb", 400),
    ("availability?scope=country&from=9999-12-31&to=9999-12-31", 422),
    ("availability?scope=country&from=9999-12-31T23:59:59-14:00", 422),
    ("availability?scope=country&from=0001-01-01&to=9999-12-31", 422),
    ("availability?scope=country&from=inf&to=nan", 422), ("availability?scope=country&from=" + DIGITS, 422),
    ("queues/history?within=" + DIGITS, 422), ("queues/history?within=Infinity", 422),
    ("queues/history?from=9999-12-31&to=9999-12-31", 422), ("devices/vn83-a-kiosk1/timeline?from=9999-12-31", 422),
    ("calendar/vn83-a/days?from=0001-01-01&to=0001-01-02", 422), ("devices/" + DIGITS, 404),
)  # fmt: skip
ANSWERED = (
    ("If-None-Match", DIGITS), ("If-None-Match", "W/" * 3_000), ("If-Modified-Since", DIGITS),
    ("Accept", "text/plain;q=" + DIGITS), ("Accept-Language", "vi;q=inf,en;q=nan"),
    ("Accept-Language", "vi;q=" + DIGITS),
    ("Accept-Encoding", "gzip;q=" + DIGITS), ("Range", "bytes=0-" + DIGITS),
)  # fmt: skip


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder: Path = tmp_path_factory.mktemp("requests")
    return network(folder)


@pytest.mark.parametrize(("path", "status"), REFUSED, ids=[path[:40] for path, _ in REFUSED])
def test_an_unbounded_number_time_or_cursor_is_refused_with_a_problem(net: Network, path: str, status: int) -> None:
    answer = net.client.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert answer.json()["type"].startswith("urn:motcua:problem:")


@pytest.mark.parametrize("path", ["/api/v1/status", "/metrics", "/"])
@pytest.mark.parametrize(("name", "value"), ANSWERED, ids=[f"{name}-{n}" for n, (name, _) in enumerate(ANSWERED)])
def test_a_header_of_any_length_does_not_spoil_the_answer(net: Network, path: str, name: str, value: str) -> None:
    assert net.client.get(path, headers={name: value}).status_code == 200
