"""Which windows and cursors may be asked for over the API: named ones, the ends of the calendar, made-up cursors."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from telemetry.core.fold.live_row_types import DeviceNow
from tests.program.network import NOW, Network, busy, centre_now
from tests.program.promises import judged, promising

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACES = (
    "availability?scope=country",
    "centres/vn83-a/timeline?sli=service",
    "slos/open/history?scope=centre:vn83-a",
    "calendar/vn83-a/days?",
    "queues/history?centre=vn83-a",
)
LISTS = ("centres", "slos", "slos/open/status", "systems", "queues/now")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = judged(busy(promising(tmp_path)))
    yield found
    found.store.close()


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "window",
    [
        "from=9999-12-31T23:59:59Z&to=9999-12-31T23:59:59.5Z",
        "from=0001-01-01T00:00:00%2B14:00&to=0001-01-02",
        "from=0001-01-01&to=9999-12-31",
        "from=2026-11-23&to=2200-01-01",
        "from=2026-11-23&to=2026-11-23",
        "from=2026-02-30",
        "window=0d", "window=28", "window=2026-13", "window=0001-01", "window=9999-12", "window=",
        "window=28d&from=2026-11-23",
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_is_a_problem_of_the_request(net: Network, path: str, window: str) -> None:
    answer = net.client.get(f"/api/v1/{path}&{window}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-window"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("28d", "2026-10-26T10:05:00+07:00", "2026-11-23T10:05:00+07:00"),
        ("this-month", "2026-11-01T00:00:00+07:00", "2026-12-01T00:00:00+07:00"),
        ("2026-10", "2026-10-01T00:00:00+07:00", "2026-11-01T00:00:00+07:00"),
    ],
)
def test_a_window_may_be_named(net: Network, name: str, start: str, end: str) -> None:
    meta = net.client.get(f"/api/v1/availability?scope=centre:vn83-a&window={name}").json()["meta"]
    assert (meta["from"], meta["to"]) == (start, end)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("key", ["[]", "[null]", "[NaN]", "[1e999]", "[[]]", "[{}]", '["a","b","c","d"]', "{}", "1"])
def test_a_cursor_nobody_gave_out_is_refused(net: Network, path: str, key: str) -> None:
    cursor = urlsafe_b64encode(key.encode()).decode()
    answer = net.client.get(f"/api/v1/{path}?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


@pytest.mark.parametrize("ident", ["../../etc/passwd", "a/b", "a\0b", "😀", "<b>", "x" * 3000, "\r\nX: 1", '"'])
@pytest.mark.parametrize("path", ["centres/{}", "devices/{}/timeline", "slos/{}/status", "calendar/{}/days"])
def test_an_odd_id_is_not_found(net: Network, path: str, ident: str) -> None:
    answer = net.client.get("/api/v1/" + path.format(quote(ident, safe="")))
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_device_that_is_listed_can_be_asked_for(net: Network) -> None:
    heard = DeviceNow(id="vn83-a-host1", kind="host", state="up", online=True)
    net.live("vn83-a", centre_now("vn83-a", NOW, devices=(heard,)))
    listed = [row["id"] for row in net.client.get("/api/v1/centres/vn83-a/devices").json()["data"]]
    assert "vn83-a-host1" in listed
    for ident in listed:
        for path in (f"devices/{ident}", f"devices/{ident}/timeline", f"availability?scope=device:{ident}"):
            assert net.client.get(f"/api/v1/{path}").status_code == 200, path
