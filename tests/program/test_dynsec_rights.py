"""Both forms of the same rights, side by side at real brokers: whoever may do something under one may under the other.

An absence is shown beside a presence: everybody hears a message of a later time that they may hear, or is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.host import mosquitto
from infra.plan.broker import services, workers
from infra.providers.broker.access import SHARED, acl_lines, allow, device_rights, rights
from infra.providers.broker.document import Admin, Service, document
from infra.providers.broker.registry import Device
from telemetry.core.topics import Topic, every
from telemetry.mqtt import FAILED
from tests.flow.guests import Room
from tests.mosquitto import ADMIN, PASSWORD, Guarded, Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CENTRE, OTHER_CENTRE = "vn83-28756", "vn83-28759"
MINE, OTHER = "vn83-28756-kiosk1", "vn83-28756-kiosk2"
CHANNELS = ("up", "state", "receipt", "config", "command")
SENDER = "trial-sender"
SERVICES = services(workers(2))
TOPICS = [
    *(f"motcua/v1/{CENTRE}/{device}/{channel}" for device in (MINE, OTHER) for channel in CHANNELS),
    *(f"motcua/v1/{CENTRE}/{rest}" for rest in (f"{MINE}/other", MINE, "up")),
    f"x/{MINE}/up",
    "elsewhere",
]
MOVED = [f"motcua/v1/{OTHER_CENTRE}/{MINE}/{channel}" for channel in CHANNELS]
FILTERS = [
    *TOPICS,
    *MOVED,
    "#",
    "+/+/+/+/+",
    f"motcua/v1/+/{MINE}/#",
    *(every(one) for one in ("up", "state", "receipt")),
]


def file_form(program: str, folder: Path, pki: Pki) -> Mosquitto:
    broker = Mosquitto(program, folder, pki)
    broker.acl.write_text(mosquitto.access(("1", "2")) + f"\nuser {SENDER}\ntopic readwrite #\n")
    broker.end()
    broker.start_again()
    return broker


def command_form(program: str, folder: Path, pki: Pki, centre: str) -> Mosquitto:
    known = [Device(MINE, centre, "kiosk"), Device(OTHER, centre, "kiosk")]
    users = [Service(one.name, tuple(rights(one.publish, one.subscribe))) for one in SERVICES]
    users.append(Service(SENDER, tuple(rights(["#"], ["#"]))))
    return Guarded(program, folder, pki, document(Admin(ADMIN, PASSWORD, b"a" * 12), users, {"s": known}))


@pytest.fixture
def rooms(require: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Room, Room]]:
    pki, program = Pki(tmp_path / "pki"), require("mosquitto")
    centre = str(getattr(request, "param", CENTRE))
    two = (
        Room(file_form(program, tmp_path / "file", pki), pki),
        Room(command_form(program, tmp_path / "command", pki, centre), pki),
    )
    yield two
    for room in two:
        room.close()


def may_publish(room: Room, name: str, topics: list[str]) -> set[str]:
    guest = room.enter(name)
    found = {topic for topic in topics if guest.publish(topic, b"x") < FAILED}
    guest.link.disconnect()
    return found


def may_hear(room: Room, name: str, topics: list[str], filters: list[str]) -> set[str]:
    """Topics whose messages reach a guest that subscribes to everything it can think of."""
    sender, guest = room.enter(SENDER), room.enter(name, *filters)
    for topic in topics:
        assert sender.publish(topic, b"y") < FAILED
    # Its own answer comes after all that was sent to it before; whether it is allowed does not matter.
    guest.publish("elsewhere", b"z")
    found = {topic for topic, payload in guest.got if payload == b"y"}
    guest.link.disconnect()
    sender.link.disconnect()
    return found


def expected(device: str, centre: str) -> tuple[set[str], set[str]]:
    own = Topic(centre, device, "up")
    return {own.path, own.on("state").path}, {own.on(one).path for one in ("state", "receipt", "config", "command")}


@pytest.mark.parametrize("name", [MINE, "never-declared", *(one.name for one in SERVICES)])
def test_both_forms_let_the_same_through(rooms: tuple[Room, Room], name: str) -> None:
    by_file, by_command = ((may_publish(room, name, TOPICS), may_hear(room, name, TOPICS, FILTERS)) for room in rooms)
    assert by_file == by_command
    if name == MINE:
        assert by_command == expected(MINE, CENTRE)
    assert any(by_command) == (name not in {"never-declared", "motcua-monitor"})


def test_a_shared_group_is_for_services_in_both_forms(rooms: tuple[Room, Room]) -> None:
    shared = [every("up", "ingest")]
    for room in rooms:
        assert may_hear(room, "motcua-ingest-1", TOPICS, shared) == {
            f"motcua/v1/{CENTRE}/{one}/up" for one in (MINE, OTHER)
        }
        assert may_hear(room, MINE, TOPICS, shared) == set()


def test_the_monitor_reads_the_brokers_figures_in_both_forms(rooms: tuple[Room, Room]) -> None:
    for room in rooms:
        monitor, device = room.enter("motcua-monitor", "$SYS/broker/#"), room.enter(MINE, "$SYS/broker/#")
        room.until(lambda guest=monitor: guest.got, "the monitor hears a figure")  # type: ignore[misc]
        assert device.publish(f"motcua/v1/{CENTRE}/{MINE}/up", b"x") < FAILED
        assert device.got == []


@pytest.mark.parametrize("rooms", [""], indirect=True)
def test_a_device_of_an_unknown_centre_has_in_both_forms_its_id_below_any(rooms: tuple[Room, Room]) -> None:
    topics = TOPICS + MOVED
    by_file, by_command = ((may_publish(one, MINE, topics), may_hear(one, MINE, topics, FILTERS)) for one in rooms)
    assert by_file == by_command
    both = [expected(MINE, centre) for centre in (CENTRE, OTHER_CENTRE)]
    assert by_command == (both[0][0] | both[1][0], both[0][1] | both[1][1])


def test_a_known_centre_is_where_the_forms_differ(rooms: tuple[Room, Room]) -> None:
    """Dynamic security keeps a device below its own centre; a pattern cannot know it, and ingest answers `foreign`."""
    by_file, by_command = rooms
    assert may_publish(by_file, MINE, MOVED) == expected(MINE, OTHER_CENTRE)[0]
    assert may_publish(by_command, MINE, MOVED) == set()
    assert may_hear(by_command, MINE, MOVED, FILTERS) == set()


def test_the_lists_name_exactly_the_topics_of_the_id() -> None:
    own = f"motcua/v1/{CENTRE}/{MINE}"
    listed = device_rights(MINE, CENTRE)
    assert {one["topic"] for one in listed if one["type"] == "publishClientSend"} == {f"{own}/up", f"{own}/state"}
    assert all(one["topic"].startswith(f"{own}/") and one["allow"] for one in listed)
    assert all(one["topic"].startswith(f"motcua/v1/+/{MINE}/") for one in device_rights(MINE))
    assert allow("subscribePattern", f"{SHARED}b") in rights([], ["b"])


def test_a_service_as_lines_of_an_access_file() -> None:
    lines = {line for one in SERVICES for line in acl_lines(one.name, one.publish, one.subscribe)}
    written = {line for line in mosquitto.access(("1", "2")).splitlines() if line.startswith(("user", "topic"))}
    assert lines == written
