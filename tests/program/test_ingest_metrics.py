"""What an ingest shows of itself, through a real HTTP port and promtool."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from telemetry.errors import ConfigError
from telemetry.ingest import metrics_server
from telemetry.ingest.stats import IngestStats
from telemetry.store import Batch, DeadLetter
from tests.servers import read_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_767_225_600_000


@pytest.fixture
def figures() -> IngestStats:
    told = IngestStats(is_connected=True, connections=2)
    told.record_message(NOW)
    told.record_write(NOW, NOW + 7)
    told.record_write(NOW, NOW + 40_000)
    told.record_answer(
        Batch(NOW * 1000, dead_letters=[DeadLetter(NOW, "d", "malformed", 3), DeadLetter(NOW, "d", "future", 1)]),
        1,
        20,
        1,
    )
    return told


@pytest.fixture
def ask(figures: IngestStats, free_port: int) -> Iterator[Callable[[str], tuple[int, str]]]:
    server = metrics_server.serve_metrics(figures, lambda: NOW, ("127.0.0.1", free_port))

    yield lambda path: read_page(f"http://127.0.0.1:{free_port}{path}")
    server.shutdown()
    server.server_close()


def test_promtool_finds_nothing_wrong(ask: Callable[[str], tuple[int, str]], require: Callable[[str], str]) -> None:
    text = ask("/metrics")[1]
    checked = subprocess.run(
        [require("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "motcua_ingest_frames_total 1.0",
        "motcua_ingest_events_in_total 24.0",
        "motcua_ingest_events_stored_total 20.0",
        'motcua_ingest_events_refused_total{reason="malformed"} 3.0',
        'motcua_ingest_write_seconds_bucket{le="0.005"} 0.0',
        'motcua_ingest_write_seconds_bucket{le="0.01"} 1.0',
        'motcua_ingest_write_seconds_bucket{le="+Inf"} 2.0',
        "motcua_ingest_write_seconds_sum 40.007",
        "motcua_ingest_waiting_messages 0.0",
        "motcua_ingest_connections_total 2.0",
        "motcua_ingest_ready 1.0",
    ],
)
def test_each_figure_is_shown(ask: Callable[[str], tuple[int, str]], line: str) -> None:
    assert line in ask("/metrics")[1].splitlines()


def test_it_is_ready_only_while_events_can_be_stored(
    ask: Callable[[str], tuple[int, str]], figures: IngestStats
) -> None:
    assert (ask("/readyz")[0], ask("/healthz")[0], ask("/")[0]) == (200, 200, 404)
    figures.record_failed_write()
    assert (ask("/readyz")[0], ask("/healthz")[0]) == (503, 200)
    figures.record_write(NOW, NOW)
    figures.is_connected = False
    assert ask("/readyz")[0] == 503


def test_messages_that_wait_for_a_minute_make_it_not_ready(figures: IngestStats) -> None:
    figures.record_message(NOW - 60_001)
    assert not metrics_server.is_ready(figures, NOW)
    assert metrics_server.is_ready(figures, NOW - 1)


@pytest.mark.usefixtures("ask")
def test_an_address_that_is_taken_is_named(free_port: int) -> None:
    with pytest.raises(ConfigError, match=f"127.0.0.1:{free_port}"):
        metrics_server.serve_metrics(IngestStats(), lambda: NOW, ("127.0.0.1", free_port))
