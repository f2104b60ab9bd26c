"""Statistics of other systems: cumulative counts become differences, snapshots come daily, periods once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.sources import SourceContext
from edge_agent.sources.builder import build_source
from edge_agent.sources.queue_http import QueueUnavailable
from edge_agent.sources.state import DeviceState
from edge_agent.sources.statistics_http import StatisticsHttpSource, load_statistics_mapping
from telemetry.errors import MappingError

if TYPE_CHECKING:
    from edge_agent.outbox import Outbox

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/examples/portal-statistics.toml"
DAY = 86_400_000
NOW = 1_790_000_000_000
HEAD = """
name = "portal-counts"
title = { vi = "Số liệu", en = "Counts" }
zone = "Asia/Ho_Chi_Minh"
[services]
portal = { vi = "Cổng", en = "Portal" }
[common]
t = { column = "@now", format = "unix_ms" }
"""
COUNTERS = """
[[event]]
type = "payment.result"
outcome = { const = "ok" }
count = { column = "payments.ok", format = "int" }
[[event]]
type = "payment.result"
outcome = { const = "gateway_error" }
count = { column = "payments.failed", format = "int" }
[[event]]
type = "sign.result"
kind = { const = "signature" }
ok = { const = true }
count = { column = "signed", format = "int" }
[[event]]
type = "auth.result"
method = { const = "e_id" }
outcome = { const = "ok" }
count = { column = "logins", format = "int" }
"""
SNAPSHOT = """
[[event]]
type = "catalogue.snapshot"
level = { const = "commune" }
procedures = { column = "commune.all", format = "int" }
full = { column = "commune.full", format = "int", optional = true }
"""
CONNECTOR = """
[[event]]
type = "connector.stats"
system = { const = "vn83-lgsp" }
ok = { column = "successfulRequestCount", format = "int" }
failed = { column = "unsuccessfulRequestCount", format = "int" }
period_ms = { column = "statisticsPeriodSeconds", unit = "s" }
min_ms = { column = "requestMinDuration", format = "number", optional = true }
mean_ms = { column = "requestAverageDuration", format = "number", optional = true }
max_ms = { column = "requestMaxDuration", format = "number", optional = true }
last_success = { column = "lastSuccessfulRequestTimestamp", format = "unix_ms", optional = true }
"""


@dataclass
class System:
    """A system whose document is `document`; `poll` asks it once, `restart` is a new agent."""

    folder: Path
    outbox: Outbox
    body: str
    now: int = NOW
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        (self.folder / "m.toml").write_text(HEAD + self.body, "utf-8")
        self.source = StatisticsHttpSource(
            "http://127.0.0.1:1/", DeviceState(), name="counts", clock=lambda: self.now,
            raise_alarm=lambda code, _: self.alarms.append(code),
            mapping=load_statistics_mapping(str(self.folder / "m.toml")),
        )  # fmt: skip

    def poll(self, document: object, after_ms: int = 60_000) -> list[dict[str, Any]]:
        """Return what one poll adds to the outbox."""
        self.now += after_ms
        last = max((row.n for row in self.outbox.rows_after(0, 10_000)), default=0)
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StatisticsHttpSource, "fetch_body", lambda *_: body)
            assert self.source.poll_once(self.outbox) is False
        return [json.loads(row.body) for row in self.outbox.rows_after(last, 10_000)]


def counts(ok: int, failed: int = 0, signed: int = 0, logins: int = 0) -> dict[str, object]:
    return {"payments": {"ok": ok, "failed": failed}, "signed": signed, "logins": logins}


def grown(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(e["type"], e.get("count", 1)) for e in events]


def test_cumulative_counts_are_published_as_what_they_grew_by(tmp_path: Path, outbox: Outbox) -> None:
    system = System(tmp_path, outbox, COUNTERS)
    assert system.poll(counts(1_000, 5, 7, 9)) == []  # what was before the first answer is not ours
    assert grown(system.poll(counts(1_003, 5, 8, 9))) == [("payment.result", 3), ("sign.result", 1)]
    assert system.poll(counts(1_003, 5, 8, 9)) == []
    (event,) = system.poll(counts(1_003, 6, 8, 9))
    assert (event["outcome"], event["t"]) == ("gateway_error", system.now)


def test_a_counter_that_began_again_counts_from_0(tmp_path: Path, outbox: Outbox) -> None:
    system = System(tmp_path, outbox, COUNTERS)
    system.poll(counts(1_000))
    assert grown(system.poll(counts(4))) == [("payment.result", 4)]
    assert grown(system.poll(counts(6))) == [("payment.result", 2)]
    assert system.poll(counts(0)) == []
    assert grown(system.poll(counts(1))) == [("payment.result", 1)]


def test_a_restart_of_the_agent_neither_loses_nor_doubles_what_was_counted(tmp_path: Path, outbox: Outbox) -> None:
    system = System(tmp_path, outbox, COUNTERS)
    system.poll(counts(10))
    system.poll(counts(12))
    system.restart()
    assert system.poll(counts(12)) == []
    assert grown(system.poll(counts(17))) == [("payment.result", 5)]


@pytest.mark.parametrize("bad", [None, "many", -3, 1.5, 99_000_000_000, [1], {"a": 1}])
def test_a_counter_that_cannot_be_read_is_named_and_the_others_count(
    tmp_path: Path, outbox: Outbox, bad: object, caplog: pytest.LogCaptureFixture
) -> None:
    system = System(tmp_path, outbox, COUNTERS)
    system.poll(counts(10, 0, 1))
    events = system.poll({"payments": {"ok": bad, "failed": 0}, "signed": 3, "logins": 0})
    assert (grown(events), system.alarms) == ([("sign.result", 2)], ["events_skipped"])
    assert [vars(record)["fields"]["fields"] for record in caplog.records] == [["payments.ok"]]
    if bad != 99_000_000_000:
        assert grown(system.poll(counts(11, 0, 3))) == [("payment.result", 1)]


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"7", b"{", b""])
def test_an_answer_that_is_no_object_is_a_failure_and_the_counts_stay(
    tmp_path: Path, outbox: Outbox, body: bytes
) -> None:
    system = System(tmp_path, outbox, COUNTERS)
    system.poll(counts(10))
    with pytest.raises(QueueUnavailable, match="JSON"):
        system.poll(body)
    assert grown(system.poll(counts(12))) == [("payment.result", 2)]


def test_a_snapshot_is_published_once_a_day(tmp_path: Path, outbox: Outbox) -> None:
    system = System(tmp_path, outbox, SNAPSHOT)
    (event,) = system.poll({"commune": {"all": 180, "full": 120}})
    assert (event["procedures"], event["full"], event["level"]) == (180, 120, "commune")
    assert system.poll({"commune": {"all": 181, "full": 121}}) == []
    system.restart()
    assert system.poll({"commune": {"all": 181}}) == []
    (event,) = system.poll({"commune": {"all": 181}}, DAY)
    assert (event["procedures"], "full" in event) == (181, False)


def health(ok: int, failed: int, last: int | None) -> dict[str, object]:
    return {
        "successfulRequestCount": ok, "unsuccessfulRequestCount": failed, "statisticsPeriodSeconds": 600,
        "requestMinDuration": 3, "requestAverageDuration": 41.5, "requestMaxDuration": 900,
        "requestDurationStdDev": 12.1, "lastSuccessfulRequestTimestamp": last,
    }  # fmt: skip


def test_the_statistics_of_a_period_are_published_once(tmp_path: Path, outbox: Outbox) -> None:
    system = System(tmp_path, outbox, CONNECTOR, now=NOW // 600_000 * 600_000)
    (event,) = system.poll(health(90, 2, NOW))
    assert {k: event[k] for k in ("ok", "failed", "period_ms", "mean_ms", "max_ms")} == {
        "ok": 90, "failed": 2, "period_ms": 600_000, "mean_ms": 41.5, "max_ms": 900,
    }  # fmt: skip
    assert system.poll(health(90, 2, NOW)) == []
    assert system.poll(health(90, 2, NOW), 600_000) == []  # the system's period is not ours: it is still the same one
    assert [e["ok"] for e in system.poll(health(70, 0, NOW + 5))] == [70]
    assert [e["ok"] for e in system.poll(health(0, 0, None), 600_000)] == [0]
    assert [e["ok"] for e in system.poll(health(0, 0, None), 600_000)] == [0]


@pytest.mark.parametrize(
    "body", ['[[event]]\ntype = "rating.submitted"\nrating = { const = 5 }\n', COUNTERS.replace("count =", "number =")]
)
def test_a_mapping_of_other_events_is_refused(tmp_path: Path, body: str) -> None:
    (tmp_path / "m.toml").write_text(HEAD + body, "utf-8")
    with pytest.raises(MappingError):
        load_statistics_mapping(str(tmp_path / "m.toml"))


def test_the_example_of_the_docs_is_accepted() -> None:
    mapping = load_statistics_mapping(str(EXAMPLE))
    assert [rule.event_type.__name__ for rule in mapping.rules] == [
        "PaymentResult",
        "ConnectorStats",
        "CatalogueSnapshot",
    ]


def test_an_agent_builds_the_source(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(HEAD + COUNTERS, "utf-8")
    context = SourceContext("vn83-83-gateway1", tmp_path, 60_000, lambda: NOW, DeviceState())
    source = build_source("statistics_http", {"url": "http://127.0.0.1:1/", "mapping": "m.toml"}, context)
    assert source.name == "statistics_http:http://127.0.0.1:1/"
