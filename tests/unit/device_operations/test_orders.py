"""Orders: every fault at once with its line, and nothing that an agent could only refuse."""

from __future__ import annotations

import json

import pytest

from edge_agent.remote.commands import CommandLog
from edge_agent.remote.settings import ConfigDocument, RemoteSettings, SourceSettings, parse_document
from motcua.device_operations.orders import (
    CommandOrder,
    ConfigOrder,
    parse_command,
    parse_duration,
    parse_settings,
    undeclared_sources,
)
from telemetry.errors import ConfigError

NOW = 1_767_225_600_000


def faults_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "s.toml")
    return [(fault.line, fault.field) for fault in caught.value.faults]


def test_settings_become_the_document_that_the_agent_reads() -> None:
    settings = parse_settings("every_ms = 5000\nmetrics = false\n[sources.host]\nevery_ms = 60000\n", "s.toml")
    expected = RemoteSettings(every_ms=5_000, metrics=False, sources={"host": SourceSettings(every_ms=60_000)})
    assert settings == expected
    order = ConfigOrder(ConfigDocument(v=1, version=7, settings=settings, valid_until=NOW))
    assert parse_document(order.payload(NOW + 5)).settings == settings
    assert order.payload(0) == order.payload(NOW), "what was signed once is sent again as it was"


def test_every_fault_has_its_line() -> None:
    text = 'every_ms = 5\nmqtt = "mqtt://elsewhere"\ncap_mb = "9"\n'
    text += "[sources.host]\nevery = 3\n[sources.cups]\nevery_ms = 1\n"
    assert faults_of(text) == [
        (1, "every_ms"), (2, "mqtt"), (3, "cap_mb"), (5, "sources.host.every"), (7, "sources.cups.every_ms"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", (1, "settings")), ("every_ms = \n", (1, "syntax")), ("sources = 3\n", (1, "sources")),
        ("[sources]\nhost = 3\n", (2, "sources.host")), ("every_ms = true\n", (1, "every_ms")),
    ],
)  # fmt: skip
def test_what_is_no_settings_file_is_refused(text: str, fault: tuple[int, str]) -> None:
    assert faults_of(text) == [fault]


def test_sources_that_devices_do_not_have_are_counted() -> None:
    settings = RemoteSettings(sources={"host": SourceSettings(every_ms=5_000), "cups": SourceSettings(every_ms=5_000)})
    assert undeclared_sources(settings, {"a": {"host"}, "b": {"host", "cups"}, "c": {"host"}}) == {"cups": 2}


def test_a_command_expires_after_each_sending_and_has_one_id() -> None:
    order = parse_command("restart-source", ["source=file:a=b.jsonl"], "01J", 60_000)
    assert order == CommandOrder("01J", "restart-source", {"source": "file:a=b.jsonl"}, 60_000)
    sent = json.loads(order.payload(NOW))
    assert (sent["id"], sent["expires"]) == ("01J", NOW + 60_000)
    decision = CommandLog().decide(order.payload(NOW), NOW, retained=False)
    assert decision is not None
    assert decision.outcome is None


def test_every_fault_of_a_command_is_listed() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_command("restart-source", ["sorce=host", "b"], "01J", 86_400_001)
    problems = [fault.problem for fault in caught.value.faults]
    assert problems == [
        "restart-source needs source", "restart-source has no argument 'b'", "restart-source has no argument 'sorce'",
        "not NAME=VALUE", "a command may not be valid so long",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="did you mean flush"):
        parse_command("flsh", [], "01J", 1)
    with pytest.raises(ConfigError, match="flush has no argument 'x'; leave it out"):
        parse_command("flush", ["x=1"], "01J", 1)


def test_durations() -> None:
    assert [parse_duration(text, "-o") for text in ("90s", "5min", "12h", "30d")] == [
        90_000, 300_000, 43_200_000, 2_592_000_000,
    ]  # fmt: skip
    for text in ("", "90", "0s", "5 min", "1w", "-1s"):
        with pytest.raises(ConfigError, match="not a duration"):
            parse_duration(text, "-o")
    with pytest.raises(ConfigError, match="too long"):
        parse_duration("25h", "-o", 86_400_000)
