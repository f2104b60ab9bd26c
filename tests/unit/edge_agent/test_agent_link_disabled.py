"""A cut link: rows stay, nothing is sent, and everything goes out when the link is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.outbox import Outbox
from telemetry.core.protocol import events as ev
from telemetry.mqtt.address import BrokerAddress

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cut_agent_neither_connects_nor_loses_rows(tmp_path: Path) -> None:
    around = Environment(lambda: 1, lambda: 1_000, lambda: 0.5, lambda: "01ID")
    outbox = Outbox(tmp_path / "outbox.db", lambda: "01SPOOL")
    agent = Agent(AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1)), outbox, around)
    outbox.append([ev.DeviceHeartbeat(n=1, t=1)])
    agent.link_disabled = True
    assert agent.step() == 2_000
    assert agent.link.fileno() == -1
    assert outbox.pending_count() == 1
