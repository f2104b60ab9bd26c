"""A hosted database's own figures, read from real sockets of the loopback: what is there, and what cannot be read."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from edge_agent.sources import database
from edge_agent.sources.database import DatabaseSource, figures_event
from edge_agent.sources.prometheus_text import Sample, parse_samples
from telemetry.core.hosted.database_figures import ARCHIVE_AGE, IS_UP
from telemetry.core.protocol.events import DatabaseFigures

if TYPE_CHECKING:
    from collections.abc import Iterator

DB = "vn83-onestop--db"
T = 1_800_000_000_000
PRIMARY = """\
# HELP cnpg_collector_up 1 if PostgreSQL is up, 0 otherwise.
# TYPE cnpg_collector_up gauge
cnpg_collector_up{cluster="db"} 1
barman_cloud_cloudnative_pg_io_last_available_backup_timestamp 1.79999e+09
cnpg_pg_stat_archiver_seconds_since_last_archival 42.5
cnpg_collector_pg_wal_archive_status{value="done"} 9
cnpg_collector_pg_wal_archive_status{value="ready"} 2
cnpg_collector_pg_wal{value="count"} 12
cnpg_collector_pg_wal{value="size"} 2e+08
cnpg_pg_database_size_bytes{datname="app"} 3e+09
cnpg_pg_database_size_bytes{datname="post,\\"gres} x"} 1e+09 1800000000000
cnpg_pg_replication_lag 0
cnpg_unknown_thing{ not even a line
"""
REPLICA = """\
cnpg_collector_up{cluster="db"} 1
cnpg_pg_stat_archiver_seconds_since_last_archival -1
cnpg_pg_database_size_bytes{datname="app"} 3e+09
cnpg_pg_replication_lag 1.5
"""


class _Instances:
    """Answers each request with the next text; a number is a status without a text."""

    def __init__(self) -> None:
        self.answers: list[str | int] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers.pop(0)
                body = answer.encode() if isinstance(answer, str) else b""
                self.send_response(200 if isinstance(answer, str) else answer)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def instances() -> Iterator[tuple[_Instances, int]]:
    served = _Instances()
    with HTTPServer(("127.0.0.1", 0), served.handler()) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield served, server.server_address[1]
        server.shutdown()
        thread.join(5)


def read(
    monkeypatch: pytest.MonkeyPatch, instances: tuple[_Instances, int], *answers: str | int
) -> DatabaseFigures | None:
    served, port = instances
    served.answers[:] = answers
    monkeypatch.setattr(database, "look_up_addresses", lambda *_: ("127.0.0.1",) * len(answers))
    return DatabaseSource(DB, f"db-figures.example:{port}", lambda: T).read_once()


def test_figures_of_all_instances_become_one_event(
    monkeypatch: pytest.MonkeyPatch, instances: tuple[_Instances, int]
) -> None:
    assert read(monkeypatch, instances, PRIMARY, REPLICA, REPLICA) == DatabaseFigures(
        n=1, t=T, system=DB, instances=3, copy_at=1_799_990_000_000, archive_age_ms=42_500, archive_waiting=2,
        lag_ms=1_500, disk_bytes=4_200_000_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        503, "<html>cnpg_collector_up</html>", "", REPLICA.replace("1.5", "many"), REPLICA.replace("1.5", "+Inf"),
        REPLICA.replace("1.5", "-3"), REPLICA.replace('"app"}', '"app" '), REPLICA.replace(" 1.5", ""),
        f"{REPLICA}barman_cloud_cloudnative_pg_io_last_available_backup_timestamp 1e12\n",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_counted_and_the_rest_reported(
    monkeypatch: pytest.MonkeyPatch, instances: tuple[_Instances, int], bad: str | int
) -> None:
    event = read(monkeypatch, instances, bad, PRIMARY)
    assert event is not None
    assert (event.instances, event.unread, event.archive_age_ms, event.lag_ms) == (1, 1, 42_500, 0)


def test_a_database_that_refuses_has_no_instance_and_no_figure() -> None:
    event = DatabaseSource(DB, "127.0.0.1:1", lambda: T, every_ms=30_000).read_once()
    assert event == DatabaseFigures(n=1, t=T, system=DB, every_ms=30_000, instances=0, unread=1)


def test_a_figure_that_nobody_gives_is_left_out(
    monkeypatch: pytest.MonkeyPatch, instances: tuple[_Instances, int]
) -> None:
    text = 'cnpg_collector_up 0\ncnpg_pg_replication_lag NaN\ncnpg_collector_pg_wal{value="size"} 5\n'
    assert read(monkeypatch, instances, text) == DatabaseFigures(n=1, t=T, system=DB, instances=0)


def test_a_name_without_an_address_says_nothing() -> None:
    assert DatabaseSource(DB, "no-such-name.invalid:9187", lambda: T).read_once() is None


def test_an_archive_that_never_got_anything_is_not_a_new_one() -> None:
    never = [Sample(IS_UP, {}, 1), Sample(ARCHIVE_AGE, {}, -1)]
    assert figures_event(DB, T, 60_000, [never], 0).archive_age_ms == -1


def test_a_fault_names_its_line() -> None:
    with pytest.raises(ValueError, match="line 2: not a value of cnpg_collector_up"):
        parse_samples("\ncnpg_collector_up{} one", {IS_UP})
    assert parse_samples('cnpg_collector_up{ a="x" , b="y", } 1', {IS_UP}) == [Sample(IS_UP, {"a": "x", "b": "y"}, 1)]


def test_the_source_reads_until_it_is_stopped() -> None:
    class Once:
        """Stops after the first read."""

        def __init__(self) -> None:
            self.waits: list[float | None] = []

        def is_set(self) -> bool:
            return False

        def wait(self, timeout: float | None = None) -> bool:
            self.waits.append(timeout)
            return len(self.waits) == 2

    rows: list[object] = []

    class Rows:
        def append(self, events: object) -> None:
            rows.append(events)

    DatabaseSource(DB, "127.0.0.1:1", lambda: T, phase_ms=2_000).run(Rows(), stop := Once())  # type: ignore[arg-type]
    assert stop.waits[0] == 2.0
    assert rows == [[DatabaseFigures(n=1, t=T, system=DB, instances=0, unread=1)]]
