"""Who may do what at the real mosquitto on the generated configuration: refused means that nothing gets through.

An absence is always shown beside a presence: the marker reaches the one who may read it, and the intruder
gets a later message of its own over the same connection, so that the marker would have come before it.
"""

from __future__ import annotations

import socket
import ssl
import warnings
from typing import TYPE_CHECKING

import pytest

from telemetry.core.protocol.topics import Topic, topic_filter
from telemetry.mqtt.broker_limits import BrokerLimits
from telemetry.mqtt.link import FAILED, LinkSettings
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Identity, Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.flow
MINE = Topic("vn83-28756", "vn83-28756-kiosk1", "up")
OTHER = Topic("vn83-28756", "vn83-28756-kiosk2", "up")
NOT_AUTHORISED = 0x87


@pytest.fixture
def room(require: Callable[[str], str], tmp_path: Path) -> Iterator[Room]:
    pki = Pki(tmp_path / "pki")
    one = Room(Mosquitto(require("mosquitto"), tmp_path / "broker", pki), pki)
    yield one
    one.close()


def stranger(folder: Path, pki: Pki, name: str) -> Identity:
    """A device certificate by somebody else's authority; the broker's is trusted all the same."""
    made = Pki(folder / "stranger", name).client(MINE.device)
    return Identity(pki.ca, made.cert, made.key)


def invalid(kind: str, room: Room, folder: Path) -> Identity | None:
    match kind:
        case "other authority":
            return stranger(folder, room.pki, "Another authority")
        case "other authority of the same name":
            return stranger(folder, room.pki, "Motcua test authority")
        case "expired":
            return room.pki.expired(MINE.device)
        case "a server's":
            return room.pki.server_named(MINE.device)
        case "revoked":
            identity = room.pki.client(MINE.device)
            room.pki.revoke(identity)
            room.broker.end()
            room.broker.start_again()
            return identity
    return None


INVALID = ("none", "other authority", "other authority of the same name", "expired", "a server's", "revoked")


@pytest.mark.parametrize("kind", INVALID)
def test_without_a_valid_certificate_nobody_comes_in(room: Room, tmp_path: Path, kind: str) -> None:
    refused = room.knock(invalid(kind, room, tmp_path), LinkSettings(MINE.device))
    assert refused.links == 0
    assert refused.ends
    assert room.enter(MINE.device).links == 1


def test_tls_below_1_2_is_refused(room: Room) -> None:
    identity = room.pki.client(MINE.device)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(identity.ca)
    context.load_cert_chain(identity.cert, identity.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", room.broker.port), 60) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="127.0.0.1")


def test_a_revocation_counts_for_new_connections_from_the_reload_on(room: Room) -> None:
    """And a connection that stands is not ended by it: only a restart does that (docs/how-to/ says so)."""
    identity = room.pki.client(MINE.device)
    standing = room.knock(identity, LinkSettings(MINE.device))
    room.pki.revoke(identity)
    room.broker.reload()
    room.until(lambda: "Reloading config" in room.broker.text(), "the broker has read its files")
    assert standing.publish(MINE.path, b"still here") < FAILED
    assert room.knock(identity, LinkSettings(MINE.device)).links == 0
    room.broker.end()
    room.broker.start_again()
    assert room.knock(identity, LinkSettings(MINE.device)).links == 0
    assert room.enter(OTHER.device).links == 1


def test_an_outdated_revocation_list_lets_nobody_in(room: Room) -> None:
    room.pki.write_crl(days=-1)
    room.broker.end()
    room.broker.start_again()
    assert room.knock(room.pki.client(MINE.device), LinkSettings(MINE.device)).links == 0
    room.pki.write_crl()
    room.broker.reload()
    room.until(lambda: "Reloading config" in room.broker.text(), "the broker has read its files")
    assert room.enter(MINE.device).links == 1


OUTSIDE = (
    OTHER.path,
    OTHER.with_channel("state").path,
    OTHER.with_channel("receipt").path,
    OTHER.with_channel("config").path,
    OTHER.with_channel("command").path,
    MINE.with_channel("receipt").path,
    MINE.with_channel("config").path,
    MINE.with_channel("command").path,
    "motcua/v1/up",
    "elsewhere",
    "$SYS/broker/uptime",
)


def test_publishing_outside_its_id_is_answered_0x87_and_reaches_nobody(room: Room) -> None:
    ingest, rollup = (
        room.enter("motcua-ingest-1", topic_filter("up")),
        room.enter("motcua-rollup", topic_filter("state")),
    )
    victim, device = room.enter_device(OTHER), room.enter_device(MINE)
    assert [device.publish(topic, b"forged") for topic in OUTSIDE] == [NOT_AUTHORISED] * len(OUTSIDE)
    assert device.publish(MINE.path, b"own") == 0
    assert device.publish(MINE.with_channel("state").path, b"born", retain=True) == 0
    room.until(lambda: ingest.got and rollup.got, "what the device may send arrives")
    room.receipt_heard(ingest, victim, OTHER)
    assert ingest.got == [(MINE.path, b"own")]
    assert rollup.got == [(MINE.with_channel("state").path, b"born")]
    assert not victim.has(b"forged")


FOREIGN = (
    "#",
    "motcua/#",
    "$SYS/#",
    topic_filter("up"),
    topic_filter("state"),
    topic_filter("receipt"),
    topic_filter("config"),
    topic_filter("up", "ingest"),
    topic_filter("up", "mine"),
    OTHER.with_channel("receipt").path,
    OTHER.with_channel("config").path,
    OTHER.with_channel("command").path,
)


@pytest.mark.parametrize("when", ["live", "retained"])
def test_subscribing_outside_its_id_brings_no_message(room: Room, when: str) -> None:
    ingest, provision = room.enter("motcua-ingest-1", topic_filter("up")), room.enter("motcua-provision")
    victim = room.enter_device(OTHER, OTHER.with_channel("config").path, OTHER.with_channel("command").path)
    device = room.enter_device(MINE, *FOREIGN) if when == "live" else None
    assert victim.publish(OTHER.path, b"marker up") == 0
    assert victim.publish(OTHER.with_channel("state").path, b"marker state", retain=True) < FAILED
    assert provision.publish(OTHER.with_channel("config").path, b"marker config", retain=True) == 0
    assert provision.publish(OTHER.with_channel("command").path, b"marker command") == 0
    assert ingest.publish(OTHER.with_channel("receipt").path, b"marker receipt") == 0
    room.until(lambda: ingest.has(b"marker up") and len(victim.got) == 3, "markers reach those who may read them")
    device = device or room.enter_device(MINE, *FOREIGN)
    room.receipt_heard(ingest, device, MINE)
    assert {topic for topic, _ in device.got} == {MINE.with_channel("receipt").path}


def test_claiming_anothers_id_changes_nothing_for_it(room: Room) -> None:
    ingest, rollup = (
        room.enter("motcua-ingest-1", topic_filter("up")),
        room.enter("motcua-rollup", topic_filter("state")),
    )
    victim = room.enter_device(OTHER)
    will = (OTHER.with_channel("state").path, b"forged death")
    thief = room.enter(
        MINE.device,
        OTHER.with_channel("receipt").path,
        MINE.with_channel("receipt").path,
        claim=OTHER.device,
        will=will,
    )
    assert thief.publish(OTHER.path, b"forged") == NOT_AUTHORISED
    assert thief.publish(MINE.path, b"own") == 0
    room.receipt_heard(ingest, thief, MINE)
    thief.link.abort()
    own_will = room.enter(MINE.device, will=(MINE.with_channel("state").path, b"own death"))
    own_will.link.abort()
    room.until(lambda: rollup.has(b"own death"), "a Will that is allowed arrives")
    room.receipt_heard(ingest, victim, OTHER)
    assert (victim.links, victim.ends) == (1, [])
    assert victim.publish(OTHER.path, b"victim's own") == 0
    room.until(lambda: ingest.has(b"victim's own"), "the victim's message arrives")
    assert ingest.got == [(MINE.path, b"own"), (OTHER.path, b"victim's own")]
    assert not rollup.has(b"forged death")


@pytest.mark.parametrize("name", ["+", "#", f"{OTHER.device}/up", f"+/{OTHER.device}"])
def test_a_wildcard_as_a_name_opens_nothing(room: Room, name: str) -> None:
    """An authority must not sign such a name; the broker holds even if one did."""
    ingest, victim = room.enter("motcua-ingest-1", topic_filter("up")), room.enter_device(OTHER)
    odd = room.knock(room.pki.client(name), LinkSettings("odd", (("#", 1), (OTHER.with_channel("receipt").path, 1))))
    if odd.links:
        assert odd.publish(OTHER.path, b"forged") == NOT_AUTHORISED
        assert odd.publish(MINE.path, b"forged") == NOT_AUTHORISED
    assert victim.publish(OTHER.path, b"own") == 0
    room.receipt_heard(ingest, victim, OTHER)
    room.until(lambda: ingest.has(b"own"), "the victim's message arrives")
    assert ingest.got == [(OTHER.path, b"own")]
    assert odd.got == []


def test_services_may_do_what_they_need_and_no_more(room: Room) -> None:
    ingest = room.enter("motcua-ingest-1", topic_filter("up"), topic_filter("state"), topic_filter("receipt"))
    rollup = room.enter("motcua-rollup", topic_filter("state"), topic_filter("up"))
    unknown = room.enter("motcua-ingest-9", topic_filter("up"))
    monitor = room.enter("motcua-monitor", "$SYS/broker/version", topic_filter("up"))
    device = room.enter_device(MINE)
    assert device.publish(MINE.path, b"frame") == 0
    assert device.publish(MINE.with_channel("state").path, b"born") == 0
    room.until(lambda: ingest.got and rollup.got and monitor.got, "each gets what it may read")
    room.receipt_heard(ingest, device, MINE)
    for guest, topic in (
        (ingest, MINE),
        (rollup, MINE),
        (rollup, MINE.with_channel("receipt")),
        (unknown, MINE.with_channel("receipt")),
    ):
        assert guest.publish(topic.path, b"forged") == NOT_AUTHORISED
    assert ingest.publish(MINE.with_channel("config").path, b"forged") == NOT_AUTHORISED
    room.receipt_heard(ingest, device, MINE)
    assert ingest.got == [(MINE.path, b"frame")]
    assert rollup.got == [(MINE.with_channel("state").path, b"born")]
    assert [topic for topic, _ in monitor.got] == ["$SYS/broker/version"]
    assert unknown.got == []


def test_two_workers_share_the_frames(room: Room) -> None:
    """The broker checks reading against the frame's own topic, so the shared filter needs no rule of its own."""
    first = room.enter("motcua-ingest-1", topic_filter("up", "ingest"))
    second = room.enter("motcua-ingest-2", topic_filter("up", "ingest"))
    device = room.enter_device(MINE)
    for i in range(20):
        assert device.publish(MINE.path, b"%d" % i) == 0
    room.until(lambda: len(first.got) + len(second.got) == 20, "all frames arrive once")
    assert {got for _, got in first.got + second.got} == {b"%d" % i for i in range(20)}
    assert len(first.got) == len(second.got) == 10


def test_a_single_worker_loses_nothing_to_a_device_that_joins_the_workers_group(room: Room) -> None:
    """mosquitto 2.0 lets anybody subscribe: in the shared group an intruder's turn is lost (the agents' resend
    brings it back). One worker has its own plain subscription, to which the group does nothing."""
    ingest = room.enter("motcua-ingest-1", topic_filter("up"))
    intruder, device = room.enter_device(OTHER, topic_filter("up", "ingest")), room.enter_device(MINE)
    for i in range(20):
        assert device.publish(MINE.path, b"%d" % i) == 0
    room.until(lambda: len(ingest.got) == 20, "all frames arrive")
    room.receipt_heard(ingest, intruder, OTHER)
    assert {topic for topic, _ in intruder.got} == {OTHER.with_channel("receipt").path}


def test_a_stop_keeps_the_queue_of_an_absent_ingest(room: Room) -> None:
    lasting = LinkSettings("motcua-ingest-1", ((topic_filter("up"), 1),), session_expiry_s=3600, clean_start=False)
    identity = room.pki.client("motcua-ingest-1")
    room.knock(identity, lasting).link.disconnect()
    device = room.enter_device(MINE)
    for i in range(50):
        assert device.publish(MINE.path, b"%d" % i) == 0
    room.broker.end()
    room.broker.start_again()
    back = room.knock(identity, lasting)
    room.until(lambda: len(back.got) == 50, "the queue is delivered")


@pytest.mark.parametrize("window", [50, 2_000])
def test_ingest_gets_as_many_unanswered_frames_as_it_asks_for(room: Room, window: int) -> None:
    """Its own Receive Maximum counts, not the broker's max_inflight_messages."""
    asked = LinkSettings("motcua-ingest-1", ((topic_filter("up"), 1),), receive_maximum=window, manual_ack=True)
    ingest = room.knock(room.pki.client("motcua-ingest-1"), asked)
    monitor = room.enter("motcua-ingest-2", topic_filter("up"))
    device = room.enter_device(MINE)
    for i in range(400):
        assert device.publish(MINE.path, b"%d" % i) == 0
    room.until(lambda: len(monitor.got) == 400, "another subscriber has all frames")
    room.until(lambda: len(ingest.got) >= min(window, 400), "the window is full")
    assert len(ingest.got) == min(window, 400)


def test_a_packet_beyond_the_limit_ends_the_connection_and_reaches_nobody(room: Room) -> None:
    """What fits the limit goes on to ingest, which refuses a frame that is too large for good, with a receipt."""
    ingest, device = room.enter("motcua-ingest-1", topic_filter("up")), room.enter_device(MINE)
    assert device.publish(MINE.path, b"x" * 200_000) == 0
    device.link.limits = BrokerLimits()  # a client that does not obey what the broker said
    device.link.publish(MINE.path, b"y" * 262_144, qos=1)
    room.until(lambda: device.ends, "the broker ends the connection")
    again = room.enter_device(MINE)
    assert again.publish(MINE.path, b"after") == 0
    room.until(lambda: ingest.has(b"after"), "a later frame arrives")
    assert len(device.ends) == 1
    assert [len(payload) for _, payload in ingest.got] == [200_000, 5]
