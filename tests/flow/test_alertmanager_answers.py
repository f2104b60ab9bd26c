"""An Alertmanager that refuses, fails or redirects is told again; a clock set back keeps nobody silent."""

from __future__ import annotations

import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR
from telemetry.core.slo.alert import PostableAlert
from telemetry.slo.alertmanager import RESEND_AFTER_MS, Alertmanagers
from tests.alertmanager import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.flow
AT = 1_790_000_100_000
ALERTS = [PostableAlert((("alertname", "A"),), AT, AT + HOUR)]


class Answers:
    """A server that answers posts as it is told, at last always with 200."""

    def __init__(self) -> None:
        self.planned: list[int] = []
        self.posts = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts += 1
                self.send_response(outer.planned.pop(0) if outer.planned else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=60)


@pytest.fixture
def answers() -> Iterator[Answers]:
    with closing(Answers()) as one:
        yield one


def taken(sender: Alertmanagers, count: int) -> None:
    until(lambda: sender.deliveries[0].delivered == count, lambda: sender.deliveries)


def test_whatever_is_no_success_is_told_again_until_it_is_one(answers: Answers) -> None:
    answers.planned = [400, 500, 302]
    with closing(Alertmanagers(answers.url)) as sender:
        sender.submit(ALERTS, AT)
        taken(sender, 1)
        assert (sender.deliveries[0].failed, answers.posts) == (3, 4)


def test_a_clock_that_is_set_back_does_not_silence_what_stands(answers: Answers) -> None:
    with closing(Alertmanagers(answers.url)) as sender:
        sender.submit(ALERTS, AT)
        taken(sender, 1)
        sender.submit(ALERTS, AT - HOUR)
        taken(sender, 2)
        sender.submit(ALERTS, AT - HOUR + RESEND_AFTER_MS)
        taken(sender, 3)
