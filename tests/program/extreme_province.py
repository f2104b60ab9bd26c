"""A province whose devices send messages at the extremes of every field; every role is real but for the broker.

Its clock is turned by the test, its chances come from one seed. It must hold no test.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.agent import Agent, AgentSettings, Environment
from edge_agent.config import AgentConfig
from edge_agent.outbox import Outbox
from edge_agent.remote.commands import Command
from edge_agent.remote.controls import AgentControls
from edge_agent.remote.remote_control import RemoteConfigFile, RemoteControl
from edge_agent.remote.settings import ConfigDocument
from edge_agent.sources.supervisor import Supervisor
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.figures.completeness import ClosedRanges, ranges_of, subtract_ranges, union_ranges
from telemetry.core.inventory import Objective
from telemetry.core.protocol import codec
from telemetry.core.protocol.codec import DeliveryReceipt
from telemetry.core.protocol.presence import Presence
from telemetry.ingest.service import Ingest
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import Link, Message
from telemetry.mqtt.packets import USER_PROPERTY
from telemetry.rollup.service import Rollup
from telemetry.slo.alerting import Alerting
from telemetry.slo.evaluator import SloEvaluator
from tests.extreme_events import ExtremeEvents
from tests.program.network import inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from fastapi.testclient import TestClient

    from telemetry.core.inventory import Inventory
    from telemetry.store import Store

EVENTS_PER_FRAME = 25
CENTRES = ("vn83-a", "vn83-b")
DECLARED_DEVICES = tuple((centre, f"{centre}-{device}") for centre in CENTRES for device in ("gateway1", "kiosk1"))
FURTHEST_AHEAD_MS = 6 * HOUR
DEVICES = (*DECLARED_DEVICES, ("vn83-a", "vn83-a-unknown1"))
BY_HAND = "01S"
"""The outbox id of frames that no agent makes."""
DECLARED: dict[str, tuple[Any, ...]] = {
    "system": ("vn83-portal", "vn83-portal", "vn83-nowhere", "vn83-a", "motcua"),
    "queue": ("land", "tax"), "service": ("land", "tax"), "to_queue": ("land",), "to_service": ("tax",),
    "counter": ("1", "2", "3"), "sid": ("01A", "01B"), "command": ("flush", "diagnostics", "restart-source"),
    "v": (1, 1, 1, 2), "spool": (BY_HAND, "other"), "version": (1, 2, 3, 1 << 53),
}  # fmt: skip
PATHS = (
    "/api/v1/status", "/api/v1/centres", "/api/v1/centres/vn83-a", "/api/v1/centres/vn83-b/devices", "/api/v1/systems",
    "/api/v1/systems/vn83-portal", "/api/v1/availability?scope=province:vn83", "/api/v1/queues/now?centre=vn83-a",
    "/api/v1/queues/history?centre=vn83-a", "/api/v1/centres/vn83-a/timeline", "/api/v1/completeness", "/api/v1/slos",
    "/api/v1/devices/vn83-a-kiosk1/timeline", "/metrics", "/metrics/devices?centre=vn83-b", "/centres/vn83-a", "/",
    "/metrics/centre?centre=vn83-a", "/centres/vn83-a/history.csv",
)  # fmt: skip
OBJECTIVES = (
    Objective("works", "Hoạt động", "Works", "centre", "availability", 0.99, 28),
    Objective("linked", "Kết nối", "Linked", "device", "connectivity", 0.95, 7, clock="wall"),
    Objective("ready", "Sẵn sàng", "Ready", "centre", "readiness", 0.9, 28, alert=False),
    Objective("waits", "Chờ", "Waits", "centre", "wait", 0.8, 28, threshold_ms=900_000),
    Objective("fast", "Nhanh", "Fast", "system", "latency", 0.9, 1, clock="wall", threshold_ms=2_000),
)


def encode_user_properties(user: Mapping[str, str]) -> bytes:
    """Return the properties of an MQTT 5 PUBLISH, as a broker delivers them."""
    texts = [[len(text.encode()).to_bytes(2) + text.encode() for text in pair] for pair in user.items()]
    return b"".join(bytes([USER_PROPERTY]) + name + value for name, value in texts)


class CollectingLink(Link):
    """A connection that only collects what its agent sends."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.is_connected, self.sent, self.mid = False, list[tuple[int, Message]](), 0
        self.will: Message | None = None

    def fileno(self) -> int:
        return 0 if self.is_connected else -1

    def connect(self, will: tuple[str, bytes] | None = None) -> None:
        assert will is not None
        self.will, self.is_connected = Message(*will, retain=True), True
        self._listener.on_connected(session_present=False)

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        del qos
        self.mid += 1
        properties = encode_user_properties(user or {})
        message = Message(topic, payload, content_type, properties, retain=retain)
        self.sent.append((self.mid, message))
        return self.mid

    def abort(self) -> None:
        self.is_connected = False

    disconnect = abort

    def keep_alive(self) -> None:
        """Nothing is to be done: this connection never ends by itself."""


class ExtremeAgent:
    """The real agent of a device: outbox, encoder, receipts, remote control; its connection breaks now and then."""

    def __init__(self, folder: Path, centre: str, device: str, clock: list[int], chance: random.Random) -> None:
        self.random, self.outbox = chance, Outbox(folder / f"{device}.db", lambda: f"spool-{device}")
        new_id = iter(range(1 << 60))
        around = Environment(lambda: clock[0], lambda: clock[0], chance.random, lambda: f"id{next(new_id)}")
        settings = AgentSettings(device, centre, BrokerAddress(port=1), linger_ms=0, alarms_enabled=True)
        config = AgentConfig(device, centre, "mqtt://127.0.0.1:1", folder / f"{device}.db")
        supervisor = Supervisor(self.outbox, lambda _fault, _name: None, lambda: clock[0], chance.random)
        controls = AgentControls(config, supervisor, None, lambda: self.agent)  # type: ignore[arg-type]
        remote = RemoteControl(controls, self.outbox, RemoteConfigFile(folder / f"{device}.json"), lambda: clock[0])
        self.agent = Agent(settings, self.outbox, around, remote)
        self.link = self.agent.link = CollectingLink(self.agent)
        self.settled: ClosedRanges = ()

    def exchange(self) -> list[Message]:
        """Return what the agent sends now; the broker accepts nearly every message."""
        messages: list[Message] = []
        self.agent.flush()
        self.agent.tick()
        for _ in range(20):
            self.agent.step()
            sent, self.link.sent = self.link.sent, []
            if not sent:
                break
            for mid, message in sent:
                messages.append(message)
                self.agent.on_puback(mid, self.random.choice([0] * 50 + [16, 0x97, 0x80]))
        if self.random.random() < 0.05 and self.link.is_connected and self.link.will:
            messages.append(self.link.will)
            self.link.is_connected = False
            self.agent.on_disconnected(self.random.choice([0, 0x8E, 0x95]), "broken")
        return messages

    def receive(self, channel: str, payload: bytes) -> None:
        topic = f"motcua/v1/{self.agent.settings.centre}/{self.agent.settings.device}/{channel}"
        self.agent.on_message(Message(topic, payload, retain=channel == "config"))
        self.agent.step()

    def unaccounted_rows(self) -> ClosedRanges:
        """Return the rows that are neither in the outbox nor named by a receipt of ingest."""
        waiting = ranges_of(row.n for row in self.outbox.rows_after(0, 1 << 30))
        return subtract_ranges(((1, self.outbox.highest_n),), union_ranges(self.settled, waiting))


class _Receipts:
    """What ingest answers, instead of a link to a broker."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def largest_payload(self, topic: str) -> int:
        return 1 << 20 if topic else 0

    def acknowledge(self, messages: Iterable[Message]) -> None:
        assert list(messages)

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        self.sent += messages


class ExtremeProvince:
    """Two centres that send extreme events, half of them by real agents; `clock` is Unix ms, turned by `run_pass`."""

    def __init__(self, folder: Path, store: Store, clock: list[int], client: TestClient, seed: int) -> None:
        self.store, self.clock, self.client, self.random = store, clock, client, random.Random(seed)
        declared = declared_inventory()
        self.events = ExtremeEvents(self.random, DECLARED)
        self.ingest = Ingest(store, lambda: declared, lambda: clock[0])
        evaluator = SloEvaluator(store, lambda: declared, Alerting(lambda: declared))
        self.rollup = Rollup(store, lambda: declared, lambda: clock[0], evaluator)
        self.agents = {d: ExtremeAgent(folder, c, d, clock, self.random) for c, d in DECLARED_DEVICES}
        self.receipts, self.n = _Receipts(), 0
        self.spoiled: set[int] = set()
        self.fitting: dict[int, str] = {}
        self.stored_rows, self.stored_types = 0, set[str]()
        self.old_frames: list[Message] = []
        self.longest_wait_s = 0.0

    def time_of_capture(self, furthest: int = 1 << 53) -> int:
        now, chance = self.clock[0], self.random.random()
        if chance < 0.85:
            return now - self.random.randrange(10 * MINUTE)
        far = (0, 1, now, now + 299_999, now + 300_001, now - DAY, now - 89 * DAY, furthest)
        return self.random.choice(far)

    def frame_by_hand(self) -> Message:
        """Return a frame with good and spoiled events, sometimes compressed or cut."""
        centre, device = self.random.choice(DEVICES)
        bodies = []
        for _ in range(EVENTS_PER_FRAME):
            self.n += 1
            is_spoiled = self.random.random() < 0.3
            draw = self.events.spoiled_event if is_spoiled else self.events.valid_event
            event = draw(self.n, self.time_of_capture())
            if is_spoiled:
                self.spoiled.add(self.n)
            else:
                self.fitting[self.n] = event["type"]
            bodies.append(msgspec.json.encode(event))
        payload, content_type = codec.encode_frame(BY_HAND, "b", self.clock[0], bodies), codec.CONTENT_TYPE
        if self.random.random() < 0.3:
            payload, content_type = codec.compress(payload), content_type + codec.ZLIB_SUFFIX
        if self.random.random() < 0.02:  # cut, as a bad line does
            payload = payload[: self.random.randrange(len(payload))]
        return Message(f"motcua/v1/{centre}/{device}/up", payload, content_type=content_type)

    def append_to_outbox(self) -> None:
        """Give an agent events; it numbers and encodes them itself.

        None lies further ahead than a few hours: it would be deferred as long as the test lasts.
        """
        self.n += EVENTS_PER_FRAME
        furthest = self.clock[0] + FURTHEST_AHEAD_MS
        drawn = [self.events.valid_event(1, self.time_of_capture(furthest)) for _ in range(EVENTS_PER_FRAME)]
        agent = self.random.choice(list(self.agents.values()))
        agent.outbox.append([codec.decode_event(msgspec.json.encode(event)) for event in drawn])

    def incoming(self, frames: int) -> list[Message]:
        """Return what the broker delivers in a pass: lost, repeated and in any order, but for acknowledged frames."""
        by_hand = []
        for _ in range(frames):
            if self.random.random() < 0.5:
                by_hand.append(self.frame_by_hand())
            else:
                self.append_to_outbox()
        messages = [m for agent in self.agents.values() for m in agent.exchange() if self.random.random() < 0.97]
        messages += self.random.sample(messages, len(messages) // 20)
        messages += self.random.sample(self.old_frames, min(len(self.old_frames), 2))
        self.old_frames = [*self.old_frames[-20:], *messages[-2:]]
        messages += by_hand
        self.random.shuffle(messages)
        return messages

    def certificates(self) -> list[Message]:
        chosen = [self.random.choice(DEVICES) for _ in range(4)]
        return [
            Message(f"motcua/v1/{c}/{d}/state", self.events.message(Presence, self.clock[0]), retain=True)
            for c, d in chosen
        ]

    def run_pass(self, frames: int, step_ms: Sequence[int]) -> float:
        """Receive frames and certificates, then fold; returns how long the pass took, s of this process's CPU time.

        `longest_wait_s` is the longest pass by the wall clock: disk and other processes count in it.
        """
        messages = self.incoming(frames)
        for message in messages:
            if message.topic.endswith("/up"):
                self.ingest.accept(message)
        self.ingest.flush(self.receipts)
        births = [message for message in messages if message.topic.endswith("/state")]
        self.rollup.store_presence([*births, *self.certificates()])
        began, began_wall = time.process_time(), time.monotonic()
        self.rollup.run_once()
        took = time.process_time() - began
        self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began_wall)
        self.take_receipts()
        self.send_to_agents()
        self.turn_clock(self.random.choice(step_ms), is_alive=self.random.random() < 0.8)
        return took

    def turn_clock(self, step_ms: int, *, is_alive: bool) -> None:
        """Turn the clock, with ingest's heartbeats or with an outage of the platform."""
        end = self.clock[0] + step_ms
        while is_alive and self.clock[0] < end:
            self.ingest.heartbeats.write_heartbeat()
            self.clock[0] = min(self.clock[0] + MINUTE, end)
        self.clock[0] = end

    def take_receipts(self) -> None:
        """Check what became of each row against how it was drawn, and deliver the receipts: lost, repeated, mixed."""
        for topic, payload in self.receipts.sent:
            receipt, device = codec.decode_receipt(payload), topic.split("/")[-2]
            assert receipt is not None
            if receipt.spool == BY_HAND:
                self._check_by_hand(receipt)
            elif receipt.spool == f"spool-{device}":
                self._check_of_agent(self.agents[device], receipt)
        received = [one for one in self.receipts.sent for _ in range(self.random.choice([0, *[1] * 18, 2]))]
        self.random.shuffle(received)
        for topic, payload in received:
            agent = self.agents.get(topic.split("/")[-2])
            if agent is not None:
                agent.receive("receipt", payload)
        self.receipts.sent.clear()
        self.spoiled.clear()
        self.fitting.clear()

    def _check_by_hand(self, receipt: DeliveryReceipt) -> None:
        stored = {n for low, high in receipt.ranges for n in range(low, high + 1)}
        assert not stored & self.spoiled, "a spoiled event was stored"
        self.stored_rows += len(stored)
        self.stored_types |= {self.fitting[n] for n in stored}
        malformed = {n for n, reason in receipt.rejected if reason == "malformed"}
        assert not malformed & self.fitting.keys(), "a fitting event was refused"

    def _check_of_agent(self, agent: ExtremeAgent, receipt: DeliveryReceipt) -> None:
        assert "malformed" not in {reason for _, reason in receipt.rejected}, "an agent's event was refused"
        before = sum(high - low + 1 for low, high in agent.settled)
        agent.settled = union_ranges(agent.settled, receipt.ranges, ranges_of(n for n, _ in receipt.rejected))
        self.stored_rows += sum(high - low + 1 for low, high in agent.settled) - before

    def send_to_agents(self) -> None:
        """Send configurations, commands and receipts that ingest did not write, at their extremes."""
        agent, now = self.random.choice(list(self.agents.values())), self.clock[0]
        kinds: dict[str, type[Any]] = {"config": ConfigDocument, "command": Command, "receipt": DeliveryReceipt}
        for channel, kind in kinds.items():
            agent.receive(channel, self.events.message(kind, now))
        forged = {"spool": agent.outbox.outbox_id, "ranges": [[1, 1 << 53]], "at": now}
        agent.receive("receipt", msgspec.json.encode(forged))

    def failed_paths(self) -> list[tuple[str, int]]:
        answers = [(path, self.client.get(path).status_code) for path in PATHS]
        return [answer for answer in answers if answer[1] != 200]

    def close(self) -> None:
        for agent in self.agents.values():
            agent.outbox.close()
        self.store.close()


def declared_inventory() -> Inventory:
    """Return the network's inventory with an objective of each kind."""
    return replace(inventory(), objectives=OBJECTIVES)
