"""A late Will through a real mosquitto: a rollup that starts later reads the agent's birth, not the Will."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.agent_loop import AgentLoop
from edge_agent.outbox import Outbox
from motcua import system
from motcua.roles import RoleThreads
from telemetry.core.protocol.presence import Presence, decode_presence, encode_presence
from telemetry.mqtt.address import parse_broker_url
from telemetry.mqtt.link import Link, LinkSettings, Message
from telemetry.mqtt.reconnect import ForwardingListener
from tests.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.device import Until

pytestmark = pytest.mark.flow
STATE = "motcua/v1/vn83-83/vn83-83-kiosk1/state"


@pytest.fixture
def broker(tmp_path: Path, require: Callable[[str], str]) -> Iterator[Mosquitto]:
    broker = Mosquitto(require("mosquitto"), tmp_path / "broker")
    try:
        yield broker
    finally:
        broker.end()


class StateReader:
    """A client that reads the device's state as a rollup does; `states` has (sid, online, retained)."""

    def __init__(self, url: str, name: str) -> None:
        self.states = list[tuple[str, bool, bool]]()
        settings = LinkSettings(client_id=name, subscriptions=((STATE, 1),))
        self.link = Link(parse_broker_url(url), settings, ForwardingListener(name, self._take))
        self.link.connect()

    def _take(self, message: Message) -> None:
        presence = decode_presence(message.payload)
        assert presence is not None
        self.states.append((presence.sid, presence.online, message.retain))

    def births(self) -> list[str]:
        """Return the sids of the births received so far, after polling."""
        self.link.poll(0.02)
        return [sid for sid, online, _ in self.states if online]


def test_a_rollup_that_starts_after_a_late_will_reads_the_birth(
    broker: Mosquitto, tmp_path: Path, until: Until
) -> None:
    around = Environment(system.wall_ms, system.monotonic_ms, lambda: 0.0, system.new_id)
    address = parse_broker_url(broker.url)
    settings = AgentSettings("vn83-83-kiosk1", "vn83-83", address, first_retry_ms=50, alarms_enabled=True)
    agent = Agent(settings, Outbox(tmp_path / "o.db", system.new_id), around)
    fleet, parts, reader = AgentLoop(system.monotonic_ms), RoleThreads(), StateReader(broker.url, "reader")
    fleet.add(agent)
    parts.start("fleet", fleet.run)
    try:
        until(reader.births, "the birth")
        sid = reader.states[-1][0]
        late_will = encode_presence(Presence(online=False, sid="01JEARLIERCONNECTION"))
        assert reader.link.publish(STATE, late_will, qos=1, retain=True) is not None
        until(lambda: reader.births().count(sid) == 2, "the birth again")
        later = StateReader(broker.url, "later")
        until(lambda: later.births() or later.states, "the retained state")
        assert later.states == [(sid, True, True)]
        later.link.disconnect()
    finally:
        fleet.stop()
        parts.shutdown()
        reader.link.disconnect()
