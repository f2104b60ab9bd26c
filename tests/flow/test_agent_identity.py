"""The real agent at the real mosquitto with the wrong, a copied or a revoked certificate; its clock is the test's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.outbox import Outbox
from motcua.system import new_id, wall_ms
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import AgentAlarm, PaymentResult
from telemetry.core.protocol.topics import Topic, topic_filter
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.pki import Identity

pytestmark = pytest.mark.flow
MINE = Topic("vn83-28756", "vn83-28756-kiosk1", "up")
OTHER = Topic("vn83-28756", "vn83-28756-kiosk2", "up")
LONGEST_MS = 300_000
SETTLED_MS = 1_000


class Clock:
    """Monotonic milliseconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


class Device:
    """An agent driven by hand, with its outbox in a folder."""

    def __init__(self, folder: Path, topic: Topic, identity: Identity, port: int, chance: float = 0.999) -> None:
        self.clock = Clock()
        around = Environment(wall_ms, self.clock, lambda: chance, new_id)
        settings = AgentSettings(topic.device, topic.centre, identity.broker(port), alarms_enabled=True)
        folder.mkdir(exist_ok=True)
        self.outbox = Outbox(folder / "outbox.db", new_id)
        self.agent = Agent(settings, self.outbox, around)

    def pay(self) -> None:
        self.outbox.append([PaymentResult(n=1, t=wall_ms(), outcome="ok", service="till")])
        self.agent.on_rows_appended(self.clock.now)

    def driven(self) -> Self:
        """One turn of the fleet's loop: a step, then the socket if there is one."""
        self.agent.step()
        if self.agent.link.fileno() >= 0:
            self.agent.link.poll(0.005)
        return self

    def kept(self, kind: type) -> list[object]:
        events = [codec.decode_event(row.body) for row in self.outbox.rows_after(0, 100)]
        return [event for event in events if isinstance(event, kind)]

    def alarms(self) -> set[str]:
        return {event.alarm for event in self.kept(AgentAlarm) if isinstance(event, AgentAlarm)}


@pytest.fixture
def room(require: Callable[[str], str], tmp_path: Path) -> Iterator[Room]:
    pki = Pki(tmp_path / "pki")
    one = Room(Mosquitto(require("mosquitto"), tmp_path / "broker", pki), pki)
    yield one
    one.close()


@pytest.fixture
def device(room: Room, tmp_path: Path) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(topic: Topic, identity: Identity, folder: str = "device") -> Device:
        made.append(Device(tmp_path / folder, topic, identity, room.broker.port))
        return made[-1]

    yield make
    for one in made:
        one.agent.close()


def test_a_refused_row_is_kept_reported_and_delivered_once_the_name_is_right(
    room: Room, device: Callable[..., Device]
) -> None:
    """agent.toml names another device than the certificate does: every publish is answered 0x87."""
    ingest = room.enter("motcua-ingest-1", topic_filter("up"))
    wrong = device(OTHER, room.pki.client(MINE.device))
    wrong.pay()
    wrong.clock.now += SETTLED_MS
    room.until(lambda: "publish_refused" in wrong.driven().alarms(), "the refusal is reported")
    assert len(wrong.kept(PaymentResult)) == 1
    wrong.agent.close()
    right = device(OTHER, room.pki.client(OTHER.device))
    right.agent.on_rows_appended(right.clock.now)

    def arrived(word: bytes) -> bool:
        right.clock.now += 10
        right.driven()
        return any(word in payload for _, payload in ingest.got)

    room.until(lambda: arrived(b'"till"'), "ingest gets the row")
    room.until(lambda: arrived(b'"publish_refused"'), "ingest gets the report")
    assert {topic for topic, _ in ingest.got} == {OTHER.path}


def test_two_agents_with_one_certificate_meet_the_take_over_with_the_longest_wait_and_an_alarm(
    room: Room, device: Callable[..., Device]
) -> None:
    identity = room.pki.client(MINE.device)
    pair = [device(MINE, identity, "first"), device(MINE, identity, "copy")]

    def links(*wanted: bool) -> bool:
        return [one.driven().agent.link.is_connected for one in pair] == list(wanted)

    room.until(lambda: pair[0].driven().agent.link.is_connected, "the first is connected")
    for _ in range(6):
        pair.reverse()
        back = pair[0]
        back.clock.now = max(back.clock.now, back.agent.step())
        room.until(lambda: links(True, False), "it comes back and puts the other one out")
    away = pair[1]
    assert away.agent.step() - away.clock.now >= LONGEST_MS // 2
    assert "session_taken_over" in away.alarms()


@pytest.mark.parametrize("kind", ["revoked", "expired"])
def test_a_refused_certificate_is_not_shown_again_and_again(
    room: Room, device: Callable[..., Device], kind: str
) -> None:
    """With the clock standing still there is one attempt, however often the loop comes by."""
    identity = room.pki.expired(MINE.device) if kind == "expired" else room.pki.client(MINE.device)
    if kind == "revoked":
        room.pki.revoke(identity)
        room.broker.end()
        room.broker.start_again()
    refused = device(MINE, identity)
    refused.pay()

    def said() -> bool:
        refused.driven()
        return "verify failed" in room.broker.text()

    room.until(said, "the broker refuses the certificate")
    for _ in range(50):
        refused.driven()
    assert refused.agent.link.generation == 1
    assert refused.agent.step() > refused.clock.now
    assert len(refused.kept(PaymentResult)) == 1
