"""What an agent makes of trouble with the broker: it waits, keeps its rows, and tells of it once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Agent, AgentSettings, Environment, RemoteHandler
from edge_agent.alarm_repeats import REPEAT_AFTER_MS, AlarmRepeats
from edge_agent.alarms import AlarmReporter
from edge_agent.outbox import Outbox, OutboxFull
from edge_agent.reconnect import MAX_WAIT_MS, SHORT_LIVED_LIMIT, ReconnectPolicy
from telemetry.core.protocol import codec, events as ev
from telemetry.mqtt.address import BrokerAddress
from telemetry.mqtt.link import TAKEN_OVER, Link, Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEVICE, CENTRE = "c1-kiosk1", "c1"


class Standing(Link):
    """Stands and takes everything."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.settings.broker, agent.link._settings, agent)
        self.is_connected, self.mids, self.dropped = True, 0, 0

    def fileno(self) -> int:
        return 0 if self.is_connected else -1

    def keep_alive(self) -> None:
        pass

    def abort(self) -> None:
        self.is_connected, self.dropped = False, self.dropped + 1

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False,
                content_type: str = "", user: Mapping[str, str] | None = None) -> int | None:  # fmt: skip
        del topic, payload, qos, retain, content_type, user
        self.mids += 1
        return self.mids


class Kiosk:
    """An agent in virtual time; `chance` is its jitter."""

    def __init__(
        self, folder: Path, chance: float = 0.0, *, alarms: bool = True, remote: RemoteHandler | None = None
    ) -> None:
        self.now = 1_000
        self.outbox = Outbox(folder / "o.db", lambda: "spool")
        around = Environment(lambda: 9, lambda: self.now, lambda: chance, lambda: "id")
        self.agent = Agent(
            AgentSettings(DEVICE, CENTRE, BrokerAddress(port=1), alarms_enabled=alarms), self.outbox, around, remote
        )
        self.link = self.agent.link = Standing(self.agent)
        self.agent.on_connected(session_present=False)

    def send(self, event: ev.Event | None = None) -> int:
        """Send one row in a frame; returns the message id."""
        self.outbox.append([event or ev.PaymentResult(n=1, t=9, outcome="ok")])
        self.agent.on_rows_appended(self.now)
        self.now += 300
        self.agent.step()
        return self.link.mids

    def is_in_flight_after(self, wait_ms: int, row: int) -> bool:
        self.now += wait_ms
        self.agent.step()
        return any(row in self.agent.sender.delivery.rows_in_flight(mid) for mid in range(1, self.link.mids + 1))

    def told(self) -> list[tuple[str, str | None, int]]:
        found = [codec.decode_event(row.body) for row in self.outbox.rows_after(0, 999)]
        return [(e.alarm, e.subject, e.count) for e in found if isinstance(e, ev.AgentAlarm)]


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path)


@pytest.mark.parametrize(
    ("code", "alarm"),
    [(0x87, ("publish_refused", "0x87", 1)), (0x10, ("no_subscribers", None, 1))],
    ids=["0x87", "0x10"],
)
def test_a_refusal_is_told_once_until_the_broker_takes_a_frame_again(
    code: int, alarm: tuple[str, str | None, int], kiosk: Kiosk
) -> None:
    kiosk.agent.on_puback(kiosk.send(), code)
    kiosk.agent.on_puback(kiosk.send(), code)
    assert kiosk.told() == [alarm]
    kiosk.agent.on_puback(kiosk.send(), 0)
    assert kiosk.told() == [alarm]
    kiosk.agent.on_puback(kiosk.send(), code)
    assert kiosk.told() == [alarm, alarm]
    assert kiosk.outbox.pending_count() == 4 + 2


def test_a_frame_refused_for_what_may_be_its_size_comes_again_in_halves(kiosk: Kiosk) -> None:
    chance = random.Random(1)
    providers = [f"{chance.getrandbits(250):x}" for _ in range(40)]
    kiosk.outbox.append([ev.PaymentResult(n=1, t=9, outcome="ok", provider=name) for name in providers])
    mid = kiosk.send()
    rows = kiosk.agent.sender.delivery.rows_in_flight(mid)
    assert rows == [*range(1, 42)]
    kiosk.agent.on_puback(mid, 0x83)
    kiosk.now += 1_000
    kiosk.agent.step()
    parts = [kiosk.agent.sender.delivery.rows_in_flight(m) for m in range(mid + 1, kiosk.link.mids + 1)]
    assert len(parts) > 1
    assert {n for part in parts for n in part} >= set(rows)


def test_a_large_row_alone_that_is_refused_for_what_may_be_its_size_is_deferred(kiosk: Kiosk) -> None:
    chance = random.Random(1)
    counters = tuple(ev.CounterNow(counter=f"{chance.getrandbits(80):x}", state="open") for _ in range(20))
    kiosk.agent.on_puback(kiosk.send(ev.DeviceHeartbeat(n=1, t=9, counters=counters)), 0x83)
    assert not kiosk.is_in_flight_after(60_000, 1)
    assert kiosk.is_in_flight_after(20 * 60_000, 1)
    assert kiosk.outbox.refused_count() == 0


@pytest.mark.parametrize("code", [0x83, 0x95, 0x99], ids=hex)
def test_a_usual_row_alone_is_not_refused_for_its_size_and_comes_again(code: int, kiosk: Kiosk) -> None:
    kiosk.agent.on_puback(kiosk.send(), code)
    assert not kiosk.is_in_flight_after(1_000, 1)
    assert kiosk.is_in_flight_after(60_000, 1)
    assert kiosk.outbox.refused_count() == 0


def test_a_channel_that_the_broker_refuses_is_an_alarm_of_an_agent_that_goes_on(kiosk: Kiosk) -> None:
    kiosk.agent._on_subscription_refused("motcua/v1/c1/c1-kiosk1/config", 0x87)
    assert kiosk.told() == [("subscription_refused", "config", 1)]
    assert kiosk.link.dropped == 0


def test_a_refusal_that_lasts_is_told_again_after_an_hour_with_its_count(kiosk: Kiosk) -> None:
    for _ in range(3):
        kiosk.agent.on_puback(kiosk.send(), 0x97)
    kiosk.now += REPEAT_AFTER_MS
    kiosk.agent.on_puback(kiosk.send(), 0x97)
    assert kiosk.told() == [("publish_refused", "0x97", 1), ("publish_refused", "0x97", 3)]


def test_an_answer_to_a_birth_is_none_to_a_frame(kiosk: Kiosk) -> None:
    kiosk.agent.on_puback(1, 0x10)
    assert kiosk.told() == []


def test_an_agent_without_alarms_keeps_its_outbox_to_itself(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path, alarms=False)
    kiosk.agent.on_puback(kiosk.send(), 0x87)
    kiosk.agent.on_disconnected(TAKEN_OVER, "taken over")
    assert (kiosk.told(), kiosk.outbox.pending_count()) == ([], 1)


@pytest.mark.parametrize(("chance", "wait"), [(0.0, MAX_WAIT_MS // 2), (0.5, MAX_WAIT_MS * 3 // 4)])
def test_after_a_take_over_the_wait_is_at_least_half_the_longest(chance: float, wait: int, tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path, chance)
    kiosk.link.is_connected = False
    kiosk.agent.on_disconnected(TAKEN_OVER, "taken over")
    assert kiosk.agent.step() == kiosk.now + wait
    assert kiosk.told() == [("session_taken_over", None, 1)]


def test_a_take_over_is_told_again_only_after_a_connection_that_lasted(kiosk: Kiosk) -> None:
    for _ in range(2):
        kiosk.agent.on_disconnected(TAKEN_OVER, "taken over")
        kiosk.agent.on_connected(session_present=False)
    assert len(kiosk.told()) == 1
    kiosk.now += 100_000
    kiosk.agent.on_disconnected(TAKEN_OVER, "taken over")
    assert len(kiosk.told()) == 2


def test_waits_grow_and_begin_anew_after_a_connection_that_lasted() -> None:
    again, waits = ReconnectPolicy(), []
    for _ in range(12):
        again.on_connect_failed(0, 0.999_999)
        waits.append(again.retry_at)
    assert waits == sorted(waits)
    assert waits[-1] <= MAX_WAIT_MS + 100
    again.on_connected(0)
    assert again.on_disconnected(70_000, 0.999_999, silently=True)
    assert again.retry_at - 70_000 <= 1_100


def test_connections_that_the_broker_takes_and_soon_closes_without_a_word_are_a_take_over(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    for _ in range(SHORT_LIVED_LIMIT - 1):
        kiosk.agent.on_connected(session_present=False)
        kiosk.agent.on_disconnected(0, "closed")
    assert kiosk.told() == []
    kiosk.agent.on_connected(session_present=False)
    kiosk.agent.on_disconnected(0, "closed")
    kiosk.link.is_connected = False
    assert kiosk.told() == [("session_taken_over", None, 1)]
    assert kiosk.agent.step() == kiosk.now + MAX_WAIT_MS // 2


def test_a_strangers_death_under_our_name_makes_it_sure_sooner() -> None:
    again = ReconnectPolicy()
    for now in range(3):
        assert not again.is_takeover_suspected()
        again.on_connected(now)
        again.saw_other_session()
        again.on_disconnected(now, 0.5, silently=True)
    assert again.is_takeover_suspected()


@pytest.mark.parametrize("between", ["refused", "lasted", "a reason"])
def test_a_broker_that_restarts_is_no_take_over(between: str) -> None:
    again, now = ReconnectPolicy(), 0
    for i in range(3 * SHORT_LIVED_LIMIT):
        again.on_connected(now)
        now += 100_000 if between == "lasted" and i % 3 == 0 else 1_000
        again.on_disconnected(now, 0.5, silently=not (between == "a reason" and i % 3 == 0))
        if between == "refused" and i % 3 == 0:
            again.on_connect_failed(now, 0.5)
        assert not again.is_takeover_suspected()


def test_an_alarm_that_could_not_be_kept_is_kept_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Outbox(tmp_path / "o.db", lambda: "spool")
    alarms = AlarmReporter(box, lambda: 5, lambda: 0)

    def no_room(*_: object) -> None:
        raise OutboxFull("full")

    with monkeypatch.context() as broken:
        broken.setattr(box, "append", no_room)
        alarms.raise_alarm("disk_full")
    assert box.pending_count() == 0
    alarms.flush()
    alarms.flush()
    assert box.pending_count() == 1


def test_a_link_without_any_receipt_for_long_is_made_anew(kiosk: Kiosk) -> None:
    kiosk.agent.on_puback(kiosk.send(), 0)
    for _ in range(601):
        kiosk.now += 1_000
        kiosk.agent.tick()
    assert kiosk.agent.receipt_wait_ms() > 0
    kiosk.now += 1_000
    kiosk.agent.tick()
    assert (kiosk.link.dropped, kiosk.agent.receipt_wait_ms()) == (1, 0)


class Following:
    """A remote side that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes, bool]] = []

    def on_message(
        self, channel: str, payload: bytes, now: int, *, retained: bool = False, properties: object = None
    ) -> None:
        del now, properties
        self.told.append((channel, payload, retained))

    def step(self, now: int) -> int:
        return now + 7


def test_configuration_and_commands_go_to_the_remote_side_and_receipts_do_not(tmp_path: Path) -> None:
    remote = Following()
    kiosk = Kiosk(tmp_path, remote=remote)
    topics = [topic.rpartition("/")[2] for topic, _ in kiosk.agent.link._settings.subscriptions]
    assert topics == ["receipt", "state", "config", "command"]
    for topic in ("config", "command", "receipt"):
        kiosk.agent.on_message(Message(f"motcua/v1/c1/{DEVICE}/{topic}", b"{}", retain=topic == "config"))
    assert remote.told == [("config", b"{}", True), ("command", b"{}", False)]


def test_the_remote_side_says_when_it_wants_to_be_called(kiosk: Kiosk) -> None:
    kiosk.agent.remote = Following()
    assert kiosk.agent.step() == kiosk.now + 7


def test_diagnostics_are_the_agents_own_figures(kiosk: Kiosk) -> None:
    kiosk.send()
    kiosk.agent.on_connected(session_present=False)
    found = kiosk.agent.diagnostics_event(sources=3, config_version=8)
    assert (found.outbox_rows, found.reconnects, found.sources, found.config_version) == (1, 1, 3, 8)
    assert found.outbox_bytes == kiosk.outbox.size_bytes


def test_an_alarm_that_lasts_is_due_after_an_hour_with_its_count_and_at_once_when_the_clock_was_set_back() -> None:
    repeats, due = AlarmRepeats(), []
    for now in (0, 1, REPEAT_AFTER_MS - 1, REPEAT_AFTER_MS, REPEAT_AFTER_MS + 1, 5):
        due.append(repeats.count_due("input_lost", "file", now))
        repeats.record("input_lost", "file", now)
    assert due == [1, 0, 0, 3, 0, 2]
    repeats.clear("input_lost", "file")
    assert repeats.count_due("input_lost", "file", 5) == 1
