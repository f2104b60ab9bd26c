"""The broker's ConfigMap in a real mosquitto: devices at one door, workers that share a certificate at another."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from telemetry.core.protocol.topics import Topic, topic_filter
from telemetry.mqtt.link import FAILED, LinkSettings
from tests.flow.guests import Door, Room
from tests.kubernetes import stack
from tests.mosquitto import Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.guests import Guest

pytestmark = pytest.mark.flow
MINE = Topic("vn83-28756", "vn83-28756-kiosk1", "up")
WORKER, OTHER_WORKER = (f"motcua-ingest-ingest-7d9c6b5f4-{end}" for end in ("abcde", "fghij"))
"""Client ids of two pods: `motcua ingest --name` of the pod's name."""
INGEST = "motcua-ingest-1"
SHARED = topic_filter("up", "ingest")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Shipped(Mosquitto):
    """mosquitto on the cluster's files: only paths, ports, address and user are put for this machine's."""

    def __init__(self, program: str, folder: Path, pki: Pki, files: dict[str, str], services: int) -> None:
        self._files, self._services = files, services
        super().__init__(program, folder, pki)

    def _write(self, pki: Pki | None, *_: object) -> None:
        assert pki is not None
        text = self._files["mosquitto.conf"]
        places = {
            "/mosquitto/config/acl": str(self.acl),
            "/mosquitto/data/": f"{self.folder}/kept/",
            "/mosquitto/tls/ca.pem": str(pki.ca),
            "/mosquitto/tls/crl.pem": str(pki.crl),
            "/mosquitto/tls/server.pem": str(pki.server.cert),
            "/mosquitto/tls/server.key": str(pki.server.key),
            "listener 8883": f"listener {self.port} 127.0.0.1",
            "listener 8884": f"listener {self._services} 127.0.0.1",
        }
        for before, after in places.items():
            assert before in text
            text = text.replace(before, after)
        user = "root" if os.geteuid() == 0 else "nobody"
        self.conf.write_text(re.sub(r"^user mosquitto$", f"user {user}", text, flags=re.MULTILINE))
        self.acl.write_text(self._files["acl"])


@dataclass
class Doors:
    """One broker: the devices' room and the services'."""

    devices: Room
    services: Room

    def until(self, condition: Callable[[], object], what: str) -> None:
        def both() -> object:
            self.services.pump()
            return condition()

        self.devices.until(both, what)


def opened(program: str, folder: Path, files: dict[str, str]) -> Iterator[Doors]:
    pki, services = Pki(folder / "pki"), free_port()
    broker = Shipped(program, folder / "broker", pki, files, services)
    found = Doors(Room(broker, pki), Room(Door(broker, services), pki))  # type: ignore[arg-type] # a port of the same broker
    yield found
    found.services.close()
    found.devices.close()


@pytest.fixture
def doors(require: Callable[[str], str], tmp_path: Path) -> Iterator[Doors]:
    yield from opened(require("mosquitto"), tmp_path, stack().one("ConfigMap", "broker-config")["data"])


@pytest.fixture
def narrow(require: Callable[[str], str], tmp_path: Path) -> Iterator[Doors]:
    """Doors of a broker that takes one connection."""
    files = dict(stack().one("ConfigMap", "broker-config")["data"])
    limit = re.compile(r"^max_connections \d+$", re.MULTILINE)
    files["mosquitto.conf"], found = limit.subn("max_connections 1", files["mosquitto.conf"])
    assert found == 1
    yield from opened(require("mosquitto"), tmp_path, files)


def worker(doors: Doors, name: str) -> Guest:
    guest = doors.services.enter(INGEST, SHARED, claim=name)
    assert guest.links == 1
    return guest


def test_workers_with_one_certificate_stand_side_by_side_and_share_the_frames(doors: Doors) -> None:
    first, second = worker(doors, WORKER), worker(doors, OTHER_WORKER)
    device = doors.devices.enter_device(MINE)
    frames = [b"frame %d" % number for number in range(20)]
    for frame in frames:
        assert device.publish(MINE.path, frame) < FAILED
    doors.until(lambda: len(first.got) + len(second.got) >= len(frames), "every frame has come to a worker")
    assert sorted(payload for _, payload in first.got + second.got) == sorted(frames)
    assert first.got
    assert second.got
    assert first.ends == second.ends == []


def test_at_the_devices_door_one_certificate_is_one_connection(doors: Doors) -> None:
    first = doors.devices.enter(INGEST, SHARED, claim=WORKER)
    second = doors.devices.enter(INGEST, SHARED, claim=OTHER_WORKER)
    doors.until(lambda: first.ends, "the first connection is taken over")
    assert second.publish(MINE.with_channel("receipt").path, b"still here") < FAILED


def test_a_worker_answers_a_device_across_the_doors(doors: Doors) -> None:
    ingest, device = worker(doors, WORKER), doors.devices.enter_device(MINE)
    assert ingest.publish(MINE.with_channel("receipt").path, b"stored") < FAILED
    doors.until(lambda: device.has(b"stored"), "the receipt has come")


@pytest.mark.parametrize(
    ("certificate", "topic"),
    [
        (INGEST, MINE.path),
        (INGEST, MINE.with_channel("config").path),
        ("motcua-rollup", MINE.with_channel("receipt").path),
    ],
)
def test_access_goes_by_the_certificate_at_the_services_door_too(doors: Doors, certificate: str, topic: str) -> None:
    guest = doors.services.enter(certificate, claim=WORKER)
    assert guest.publish(topic, b"not mine") >= FAILED


def test_a_devices_certificate_has_a_devices_rights_whatever_id_it_claims(doors: Doors) -> None:
    listener = worker(doors, WORKER)
    intruder = doors.services.enter(MINE.device, claim="motcua-rollup")
    assert intruder.publish(MINE.with_channel("receipt").path, b"forged") >= FAILED
    assert intruder.publish(Topic(MINE.centre, "vn83-28756-kiosk2", "up").path, b"forged") >= FAILED
    assert intruder.publish(MINE.path, b"its own") < FAILED
    doors.until(lambda: listener.has(b"its own"), "what it may say has come")
    assert not listener.has(b"forged")


def test_nobody_comes_in_at_the_services_door_without_a_certificate(doors: Doors) -> None:
    refused = doors.services.knock(None, LinkSettings("motcua-rollup"))
    assert refused.links == 0
    assert refused.ends


def test_the_connection_limit_is_the_devices_alone(narrow: Doors) -> None:
    """mosquitto gives it to the listener that stands before it; services are few and must always come in."""
    narrow.devices.enter_device(MINE)
    with socket.create_connection(("127.0.0.1", narrow.devices.broker.port), 60) as line:
        assert line.recv(1) == b"", "a second connection is closed at once"
    assert worker(narrow, WORKER).links == worker(narrow, OTHER_WORKER).links == 1
