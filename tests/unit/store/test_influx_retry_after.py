"""A store that answers 429 or 503 with Retry-After is left alone until then, whoever asks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.errors import StoreUnavailable
from telemetry.store.influx.server import MAX_ASKED_WAIT_MS, InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Upstream:
    """A server that refuses every post, and the clock by which its client waits."""

    url: str = ""
    status: int = 429
    retry_after: str = "60"
    now_s: float = 1_000.0
    asked: list[str] = field(default_factory=list)


class _Busy(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        upstream: Upstream = self.server.upstream
        upstream.asked.append(self.path.partition("?")[0])
        self.send_response(upstream.status)
        if upstream.retry_after:
            self.send_header("Retry-After", upstream.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        pass


@pytest.fixture
def busy() -> Iterator[Upstream]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as server:
        upstream = Upstream(f"http://127.0.0.1:{server.server_address[1]}")
        server.upstream = upstream  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield upstream
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("status", [429, 503])
def test_nothing_is_sent_until_the_time_that_the_server_asked_for(busy: Upstream, status: int) -> None:
    busy.status = status
    store = InfluxServer(busy.url, "o", "t", monotonic=lambda: busy.now_s)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.write("b", b"m f=1")
    assert len(busy.asked) == 1
    with pytest.raises(StoreUnavailable, match=str(status)):
        store.delete("b", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "")
    with pytest.raises(StoreUnavailable, match="pause of 60 s more"):
        store.delete("b", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "")
    assert busy.asked == ["/api/v2/write", "/api/v2/delete"]
    busy.now_s += 60.5
    with pytest.raises(StoreUnavailable):
        store.write("b", b"m f=1")
    assert len(busy.asked) == 3
    store.close()


def test_an_absurd_wait_is_bounded_and_none_is_none(busy: Upstream) -> None:
    store = InfluxServer(busy.url, "o", "t", monotonic=lambda: busy.now_s)
    busy.retry_after = "9" * 500
    with pytest.raises(StoreUnavailable):
        store.write("b", b"m f=1")
    busy.now_s += MAX_ASKED_WAIT_MS / 1000
    busy.retry_after = ""
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.write("b", b"m f=1")
    assert len(busy.asked) == 4
    store.close()
