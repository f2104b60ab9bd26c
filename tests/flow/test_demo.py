"""The demo as one command: it shows its progress, ends by itself, its figures add up, and Prometheus can read it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.device import Until

pytestmark = [pytest.mark.flow, pytest.mark.slow]
DEMO = (sys.executable, "-m", "motcua", "demo", "--port", "0")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")} | {"COLUMNS": "200"}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `motcua demo --once` writes."""
    out = tmp_path_factory.mktemp("demo") / "out.json"
    words = ("--once", "--json", str(out))
    done = subprocess.run((*DEMO, *words), env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def test_every_event_sent_is_stored_or_refused(summary: dict[str, Any]) -> None:
    assert summary["sent"] > 0
    assert summary["sent"] == summary["stored"] + summary["refused"]
    assert summary["deferred"] == 0


def test_every_device_is_complete(summary: dict[str, Any]) -> None:
    assert len(summary["completeness"]) == summary["agents"] >= summary["centres"] == 12
    assert set(summary["completeness"].values()) == {1.0}


def test_the_summary_says_how_the_hall_does_and_how_fast_the_api_is(summary: dict[str, Any]) -> None:
    assert summary["simulated"] is True
    assert isinstance(summary["waiting"], int)
    assert summary["waiting"] >= 0
    assert isinstance(summary["availability"], dict)
    assert {"status", "centre_page", "metrics"} <= set(summary["api_latency"])
    for timing in summary["api_latency"].values():
        assert 0 < timing["p50_ms"] <= timing["p95_ms"]


@dataclass
class RunningDemo:
    """A small demo in its own process, and the statuses of its page while it started."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""
    statuses: list[int] = field(default_factory=list)

    def is_live(self) -> bool:
        """Return whether the demo is live, and ask its page once when it is not."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        assert self.process.poll() is None, text
        found = re.search(r"(http://[\d.:]+)/", text)
        if found:
            self.url = found[1]
            self.statuses.append(status_of(self.url))
        return f"{self.url}/ is live" in text


def status_of(url: str) -> int:
    """Return the status of the page; without an exception on 503."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request("GET", "/", headers={"Accept": "text/html"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, until: Until) -> Iterator[RunningDemo]:
    log = tmp_path_factory.mktemp("live") / "demo.log"
    with log.open("wb") as out:
        words = (*DEMO, "--centres", "10", "--days", "1")
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment())
    demo = RunningDemo(process, log)
    try:
        until(demo.is_live, "the demo is live", 60)
        yield demo
    finally:
        process.terminate()
        process.wait(60)


def test_the_page_says_503_until_the_demo_is_live_and_never_after(running: RunningDemo) -> None:
    assert running.statuses[0] == 503
    assert sorted(running.statuses, reverse=True) == running.statuses
    assert status_of(running.url) == 200


def test_the_past_days_do_not_count_as_days_without_a_link(running: RunningDemo, until: Until) -> None:
    def statuses() -> set[str]:
        with urllib.request.urlopen(f"{running.url}/api/v1/slos?limit=200", timeout=60) as answer:
            rows = json.load(answer)["data"]
        found = {row["status"] for row in rows if row["slo"] == "centres-connected"}
        return found if "no_data" not in found else set()

    assert until(statuses, "the objectives are evaluated", 90) == {"healthy"}


def test_promtool_accepts_the_metrics_of_a_running_demo(require: Callable[[str], str], running: RunningDemo) -> None:
    promtool = require("promtool")
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=60) as answer:
        text = answer.read()
    checked = subprocess.run((promtool, "check", "metrics"), input=text, capture_output=True, timeout=60, check=False)
    assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()
    assert b"motcua_" in text
