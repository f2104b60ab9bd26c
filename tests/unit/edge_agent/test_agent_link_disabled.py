"""A cut link: rows stay, nothing is sent, and everything goes out when the link is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.outbox import Outbox
from telemetry.core.protocol import codec, events as ev
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Message

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cut_agent_neither_connects_nor_loses_rows(tmp_path: Path) -> None:
    around = Environment(lambda: 1, lambda: 1_000, lambda: 0.5, lambda: "01ID")
    outbox = Outbox(tmp_path / "outbox.db", lambda: "01SPOOL")
    agent = Agent(AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1)), outbox, around)
    outbox.append([ev.DeviceHeartbeat(n=1, t=1)])
    agent.link_disabled = True
    assert agent.step() == 2_000
    assert agent.link.fileno() == -1
    assert outbox.pending_count() == 1


def test_rows_that_the_server_did_not_store_are_logged_by_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    around = Environment(lambda: 1, lambda: 1_000, lambda: 0.5, lambda: "01ID")
    outbox = Outbox(tmp_path / "outbox.db", lambda: "01SPOOL")
    agent = Agent(AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1)), outbox, around)
    outbox.append([ev.DeviceHeartbeat(n=1, t=1)] * 5)
    receipt = codec.DeliveryReceipt(
        spool="01SPOOL",
        ranges=[(1, 1)],
        rejected=[(2, "personal_data")],
        deferred=[(3, "future"), (4, "unknown_device"), (5, "unknown_device")],
    )
    agent.link_disabled = True
    agent.on_message(Message("motcua/v1/c1/c1-kiosk1/receipt", codec.encode_receipt(receipt)))
    with caplog.at_level("WARNING", "edge_agent"):
        agent.step()
    fields = [{"event": record.message, **vars(record)["fields"]} for record in caplog.records]
    assert [(f["event"], f["reason"], f["rows"], f["first"]) for f in fields] == [
        ("rows_deferred", "future", 1, 3),
        ("rows_deferred", "unknown_device", 2, 4),
        ("rows_rejected", "personal_data", 1, 2),
    ]
    assert all(f["remedy"] for f in fields)
