"""What a rollup shows of its passes, through a real HTTP port and promtool."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING, cast

import pytest

from telemetry.errors import StoreUnavailable
from telemetry.mqtt.address import parse_broker_url
from telemetry.mqtt.reconnect import Backoff
from telemetry.rollup import worker
from telemetry.rollup.pass_page import STUCK_MS, is_ready, serve_passes
from telemetry.rollup.pass_stats import PassStats
from tests.servers import free_port, read_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.rollup.service import Rollup

NOW = 1_767_225_600_000


@pytest.fixture
def ask() -> Iterator[Callable[[str], tuple[int, str]]]:
    stats, port = PassStats(passes=7, failed=2, last_pass_at=NOW), free_port()
    server = serve_passes(stats, lambda: NOW + STUCK_MS, ("127.0.0.1", port))

    yield lambda path: read_page(f"http://127.0.0.1:{port}{path}")
    server.shutdown()
    server.server_close()


def test_the_pages_answer_and_promtool_finds_nothing_wrong(
    ask: Callable[[str], tuple[int, str]], require: Callable[[str], str]
) -> None:
    status, text = ask("/metrics")
    assert status == 200
    for line in ("motcua_rollup_passes_total 7.0", "motcua_rollup_pass_failures_total 2.0", "motcua_rollup_ready 1.0",
                 "motcua_rollup_last_pass_timestamp_seconds 1.7672256e+09"):  # fmt: skip
        assert line in text
    checked = subprocess.run(
        [require("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert [ask(path)[0] for path in ("/healthz", "/readyz", "/else")] == [200, 200, 404]


def test_it_is_ready_while_passes_end_well() -> None:
    assert not is_ready(PassStats(), NOW)
    assert is_ready(PassStats(last_pass_at=NOW), NOW + STUCK_MS)
    assert not is_ready(PassStats(last_pass_at=NOW), NOW + STUCK_MS + 1)


class FailingTwice:
    """Stands for a rollup whose store is away, then whose data break it, and that is stopped in its first good pass."""

    def __init__(self, stop: threading.Event) -> None:
        self.faults: list[Exception] = [StoreUnavailable("away"), ValueError("broken")]
        self.stop = stop

    def store_presence(self, presence: object) -> None:
        """Take the presence of devices."""

    def run_once(self) -> int:
        """Fail, or end well and stop."""
        if self.faults:
            raise self.faults.pop(0)
        self.stop.set()
        return 0


def test_the_loop_counts_passes_that_fail_and_that_end_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PASS_INTERVAL_S", 0.0)
    monkeypatch.setattr(Backoff, "connect", lambda *_: None)
    stop, stats = threading.Event(), PassStats()
    address = parse_broker_url(f"mqtt://127.0.0.1:{free_port()}")
    worker.run_rollup(cast("Rollup", FailingTwice(stop)), address, stop, stats)
    assert (stats.passes, stats.failed) == (1, 2)
    assert stats.last_pass_at > NOW
