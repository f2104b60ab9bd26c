"""The demo as one command: it ends by itself, its figures add up, and Prometheus can read it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

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
    """What `motcua demo --once` writes for ten centres and a day."""
    out = tmp_path_factory.mktemp("demo") / "out.json"
    words = ("--once", "--json", str(out), "--centres", "10", "--days", "1")
    done = subprocess.run((*DEMO, *words), env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def test_every_event_sent_is_stored_or_refused(summary: dict[str, Any]) -> None:
    assert summary["sent"] > 0
    assert summary["sent"] == summary["stored"] + summary["refused"]
    assert summary["deferred"] == 0


def test_every_device_is_complete(summary: dict[str, Any]) -> None:
    assert len(summary["completeness"]) == summary["agents"] >= summary["centres"] == 10
    assert set(summary["completeness"].values()) == {1.0}


def test_the_summary_says_how_the_hall_does_and_how_fast_the_api_is(summary: dict[str, Any]) -> None:
    assert summary["simulated"] is True
    assert isinstance(summary["waiting"], int)
    assert summary["waiting"] >= 0
    assert isinstance(summary["availability"], dict)
    assert {"status", "centre_page", "metrics"} <= set(summary["api_latency"])
    for timing in summary["api_latency"].values():
        assert 0 < timing["p50_ms"] <= timing["p95_ms"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, until: Until) -> Iterator[str]:
    """The URL of a small demo in its own process."""
    log = tmp_path_factory.mktemp("live") / "demo.log"
    with log.open("wb") as out:
        words = (*DEMO, "--centres", "10", "--days", "0")
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment())
    try:
        yield until(lambda: _live(log, process), "the demo is live", 60)
    finally:
        process.terminate()
        process.wait(30)


def _live(log: Path, process: subprocess.Popen[bytes]) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    assert process.poll() is None, text
    found = re.search(r"(http://[\d.:]+)/ is live", text)
    return found[1] if found else ""


def test_promtool_accepts_the_metrics_of_a_running_demo(require: Callable[[str], str], running: str) -> None:
    promtool = require("promtool")
    with urllib.request.urlopen(f"{running}/metrics", timeout=10) as answer:
        text = answer.read()
    checked = subprocess.run((promtool, "check", "metrics"), input=text, capture_output=True, timeout=30, check=False)
    assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()
    assert b"motcua_" in text
