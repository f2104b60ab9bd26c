"""An Alertmanager that asks for a wait with Retry-After gets it, up to a bound."""

from __future__ import annotations

import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from telemetry.core.slo.alert import PostableAlert
from telemetry.slo.alertmanager import MAX_ASKED_WAIT_MS, Alertmanagers

AT = 1_790_000_100_000


class _Waits(threading.Event):
    """A stop signal that records the waits, s, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        return self.is_set()


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        headers = self.server.planned.pop(0) if self.server.planned else None
        self.send_response(200 if headers is None else 429)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if headers is None:
            self.server.delivered.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        pass


@pytest.mark.parametrize(("header", "wait_s"), [("40", 40), ("999999", MAX_ASKED_WAIT_MS / 1000), ("soon", 0)])
def test_alertmanager_gets_the_wait_that_it_asks_for(header: str, wait_s: float) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.planned, server.delivered = [{"Retry-After": header}, {}], threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        with closing(Alertmanagers(f"http://127.0.0.1:{server.server_address[1]}")) as sender:
            waits = _Waits()
            sender._senders[0]._stop = waits
            sender.submit([PostableAlert((("alertname", "A"),), AT, AT + 1)], AT)
            assert server.delivered.wait(10)  # type: ignore[attr-defined]
        asked, unasked = waits.waits
        assert asked == wait_s if wait_s else asked < 1
        assert unasked < 2, "the next answer asked for nothing"
        server.shutdown()
        thread.join(5)
