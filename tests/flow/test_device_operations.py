"""Operators' commands and configurations to real agents over a real broker: signed, in stages, on record, resumable."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from telemetry import inventory
from telemetry.core.calendar.windows import Window
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.topics import Topic
from telemetry.inventory import render_agent
from tests.flow.conftest import MOTCUA
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.store import StoredEvent
    from tests.flow.conftest import House, Role
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
CENTRE = "vn83-83"
DEVICES = ("vn83-83-gateway1", "vn83-83-kiosk1")
UNREACHED = "vn83-83-kiosk2"


class Office:
    """A centre with two agents that accept signed messages only, and an operator with a key."""

    def __init__(self, house: House, broker: Mosquitto, pki: Pki, until: Until) -> None:
        self.house, self.broker, self.pki, self.until = house, broker, pki, until
        self.inventory = house.folder / "inventory"
        shutil.copytree(inventory.default_path(), self.inventory)
        self.key = house.folder / "lan.key"
        row = house.ends("device", "key", "lan.nguyen", "--out", str(self.key)).splitlines()[0]
        (self.inventory / "signers.csv").write_text(f"name,public_key\n{row}\n")
        self.declared = inventory.load(self.inventory)
        house.linked(self.start_role("ingest", "motcua-ingest-1"))
        self.start_agents(*DEVICES)

    def settings(self, name: str) -> str:
        identity = self.pki.client(name)
        values = {
            "MOTCUA_STORE": self.house.store_url, "MOTCUA_MQTT": f"mqtts://localhost:{self.broker.port}",
            "MOTCUA_MQTT_CA": identity.ca, "MOTCUA_MQTT_CERT": identity.cert, "MOTCUA_MQTT_KEY": identity.key,
            "MOTCUA_INVENTORY": self.inventory,
        }  # fmt: skip
        path = self.house.folder / f"{name}.toml"
        path.write_text("".join(f'{key} = "{value}"\n' for key, value in values.items()))
        return str(path)

    def start_role(self, role: str, name: str) -> Role:
        return self.house.run(MOTCUA, role, "--config", self.settings(name), label=role)

    def start_agents(self, *devices: str) -> None:
        for device in devices:
            self.start_agent(device)
        present = set(devices)
        self.until(lambda: present <= {one.device for one in self.stored_events()}, "each has sent something")

    def start_agent(self, device: str) -> None:
        folder, identity = self.house.folder / device, self.pki.client(device)
        (folder / "tls").mkdir(parents=True)
        for name, file in (("ca.pem", identity.ca), ("device.pem", identity.cert), ("device.key", identity.key)):
            (folder / "tls" / name).write_bytes(file.read_bytes())
        path = folder / "agent.toml"
        path.write_text(render_agent(self.declared, device, mqtt=f"mqtts://localhost:{self.broker.port}"))
        self.house.run(MOTCUA, "agent", "--config", str(path), label=device)

    def order(self, *words: str) -> tuple[int, dict[str, Any], str]:
        """Run `motcua device …` as the operator; returns the exit code, its JSON, and all that it wrote."""
        words = (*words, "--json", "--config", self.settings("motcua-provision"))
        role = self.house.run(MOTCUA, "device", *words, label="device")
        code, text = role.exit_code(), role.text()
        start, end = text.find("\n{"), text.rfind("\n}")
        return code, json.loads(text[start : end + 2]) if start >= 0 else {}, text

    def outcomes(self, shown: dict[str, Any]) -> dict[str, str]:
        return {row["device"]: f"{row['outcome']} {row['reason']}".strip() for row in shown["devices"]}

    def stored_events(self) -> list[StoredEvent]:
        now = time.time_ns() // 1_000_000
        return self.house.store.events(CENTRE, Window(now - 3_600_000, now + 3_600_000))

    def stored(self, kind: type[ev.Event]) -> list[Any]:
        return [stored.event for stored in self.stored_events() if isinstance(stored.event, kind)]


@pytest.fixture(scope="module")
def office(
    lasting_house: House, until: Until, require: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("broker")
    pki = Pki(folder / "pki")
    with Mosquitto(require("mosquitto"), folder / "broker", pki) as broker:
        yield Office(lasting_house, broker, pki, until)


def test_operators_reach_their_devices_in_stages_and_nobody_else_does(office: Office, until: Until) -> None:
    selected = [word for device in (*DEVICES, UNREACHED) for word in ("--devices", device)]
    begun = ("command", "send", "flush", *selected, "--first", DEVICES[0], "--key", str(office.key))
    code, shown, text = office.order(*begun)
    assert code == 1, text
    outcomes = office.outcomes(shown)
    assert (outcomes[DEVICES[0]], outcomes[UNREACHED]) == ("done", "offline no-connection"), text
    assert shown["state"] == "stopped: 1 failed, 0 may"

    office.start_agents(UNREACHED)
    resumed = ("command", "send", "--resume", shown["operation"], "--key", str(office.key))
    code, shown, text = office.order(*resumed)
    assert (code, shown["state"], set(office.outcomes(shown).values())) == (0, "complete", {"done"}), text
    answers = office.stored(ev.CommandResult)
    assert sorted((answer.id, answer.outcome) for answer in answers) == [(shown["operation"], "done")] * 3, "once each"

    room = Room(office.broker, office.pki, "localhost")
    provision = room.enter("motcua-provision")
    forged = {"v": 1, "id": "forged", "command": "flush", "expires": time.time_ns() // 1_000_000 + 60_000}
    provision.publish(Topic(CENTRE, DEVICES[0], "command").path, json.dumps(forged).encode())
    provision.link.disconnect()

    def refusals() -> list[str]:
        return [answer.reason for answer in office.stored(ev.CommandResult) if answer.id == "forged"]

    until(lambda: refusals() == ["not-signed"], "the unsigned command is refused")


def test_a_configuration_stops_at_the_first_device_that_rejects_it_and_is_applied_when_right(office: Office) -> None:
    file = office.house.folder / "settings.toml"
    file.write_text("[sources.cups]\nevery_ms = 60000\n")
    both = ("--devices", DEVICES[0], "--devices", DEVICES[1], "--first", DEVICES[1], "--key", str(office.key))
    code, shown, text = office.order("config", "publish", str(file), *both, "--permanent")
    assert code == 1, text
    assert "2 of 2 devices have no source 'cups'" in text
    assert office.outcomes(shown) == {DEVICES[1]: "rejected no-such-source", DEVICES[0]: "not-sent"}
    file.write_text("linger_ms = 20\n")
    only = ("--devices", DEVICES[0], "--key", str(office.key), "--valid-for", "30d")
    code, shown, text = office.order("config", "publish", str(file), *only)
    assert (code, office.outcomes(shown)) == (0, {DEVICES[0]: "applied"}), text
    assert shown["order"]["document"]["version"] == 2, "one more than the one that was rejected"
    record = Path(office.house.folder / "device-operations.jsonl").read_text().splitlines()
    entries = [json.loads(line)["entry"] for line in record]
    assert entries[-8:] == ["begun", "sent", "answered", "ended"] * 2
    assert json.loads(record[-8])["signer"] == "lan.nguyen"
