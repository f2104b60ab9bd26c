"""An agent whose retained birth a late Will has replaced publishes it again, and no two agents answer each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import MAX_REPEATED_BIRTHS, Agent, AgentSettings, Environment
from edge_agent.outbox import Outbox
from telemetry.core.protocol.presence import Presence, decode_presence, encode_presence
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Link, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STATE = "motcua/v1/c1/c1-kiosk1/state"


class PublishedStates(Link):
    """A link that is connected and records the presence that is published."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.is_connected, self.states = False, list[tuple[Presence, bool]]()

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        del will
        self.is_connected = True

    def fileno(self) -> int:
        return 0 if self.is_connected else -1

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        del qos, content_type, user
        presence = decode_presence(payload)
        assert (topic, presence is not None) == (STATE, True)
        if presence is not None:
            self.states.append((presence, retain))
        return 1


class ConnectedAgent:
    """An agent that has connected twice: with the sids `NAME1` and `NAME2`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.now, numbers = 1_000, iter(range(9))
        around = Environment(lambda: 9, lambda: self.now, lambda: 0.0, lambda: f"{name}{next(numbers)}")
        outbox = Outbox(folder / f"{name}.db", lambda: "spool")
        self.agent = Agent(AgentSettings("c1-kiosk1", "c1", BrokerAddress(port=1), alarms_enabled=True), outbox, around)
        self.link = self.agent.link = PublishedStates(self.agent)
        for _ in range(2):
            self.now += 600_000
            self.agent.step()
            self.agent.on_connected(session_present=False)
            self.link.is_connected = False
        self.link.is_connected = True
        self.sid = self.link.states[-1][0].sid

    def receive(self, *, online: bool, sid: str, retained: bool = False) -> list[tuple[str, bool, bool]]:
        """Return what it then publishes: sid, online, retained."""
        before = len(self.link.states)
        self.agent.on_message(Message(STATE, encode_presence(Presence(online=online, sid=sid)), retain=retained))
        return [(p.sid, p.online, retain) for p, retain in self.link.states[before:]]


@pytest.fixture
def kiosk(tmp_path: Path) -> ConnectedAgent:
    return ConnectedAgent(tmp_path, "a")


def test_a_will_of_an_earlier_connection_is_answered_with_the_birth(kiosk: ConnectedAgent) -> None:
    assert kiosk.receive(online=False, sid="a1") == [(kiosk.sid, True, True)]
    assert kiosk.link.states[-1][0].reason == "late_will"


def test_a_will_of_a_process_before_this_one_is_answered_too(kiosk: ConnectedAgent) -> None:
    assert kiosk.receive(online=False, sid="z7") == [(kiosk.sid, True, True)]


def test_what_was_retained_before_the_birth_is_not_answered(kiosk: ConnectedAgent) -> None:
    assert kiosk.receive(online=False, sid="a1", retained=True) == []


def test_births_and_the_own_death_are_not_answered(kiosk: ConnectedAgent) -> None:
    assert kiosk.receive(online=True, sid="a1") == []
    assert kiosk.receive(online=True, sid=kiosk.sid) == []
    assert kiosk.receive(online=False, sid=kiosk.sid) == []


def test_an_agent_without_a_connection_answers_nothing(kiosk: ConnectedAgent) -> None:
    kiosk.link.is_connected = False
    assert kiosk.receive(online=False, sid="a1") == []


def test_a_connection_answers_a_bounded_number_of_wills_and_the_next_one_again(kiosk: ConnectedAgent) -> None:
    answers = [kiosk.receive(online=False, sid="z7") for _ in range(3 * MAX_REPEATED_BIRTHS)]
    assert sum(len(answer) for answer in answers) == MAX_REPEATED_BIRTHS
    kiosk.agent.on_connected(session_present=False)
    assert len(kiosk.receive(online=False, sid="z7")) == 1


def test_two_agents_with_one_id_do_not_answer_each_other(tmp_path: Path, kiosk: ConnectedAgent) -> None:
    double, said = ConnectedAgent(tmp_path, "b"), 0
    messages = [Presence(online=False, sid="a1"), Presence(online=False, sid="b1")]
    while messages:
        message = messages.pop()
        for one in (kiosk, double):
            answers = one.receive(online=message.online, sid=message.sid)
            messages += [Presence(online=online, sid=sid) for sid, online, _ in answers]
            said += len(answers)
    assert said == 4
