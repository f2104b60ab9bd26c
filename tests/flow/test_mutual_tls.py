"""The roles as processes over mutual TLS, with the agent.toml that the host bundle writes: stored, and receipted."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import Outbox
from infra.host.bundle import render_bundle
from infra.host.systemd_units import HostLayout
from motcua.system import new_id
from telemetry.core.calendar.windows import Window
from telemetry.core.protocol.events import DeviceHeartbeat
from tests.flow.conftest import MOTCUA

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory
    from tests.flow.conftest import House, Role
    from tests.flow.device import Until
    from tests.mosquitto import Mosquitto
    from tests.pki import Identity, Pki

pytestmark = pytest.mark.flow
CENTRE, KIOSK = "vn83-83", "vn83-83-kiosk1"


def server(house: House, name: str, identity: Identity, port: int, *words: str) -> Role:
    """Start a role with its settings in a file, as TOML."""
    told = {
        "MOTCUA_STORE": house.store_url,
        "MOTCUA_MQTT": f"mqtts://localhost:{port}",
        "MOTCUA_MQTT_CA": identity.ca,
        "MOTCUA_MQTT_CERT": identity.cert,
        "MOTCUA_MQTT_KEY": identity.key,
    }
    path = house.folder / f"{name}.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in told.items()))
    return house.run(MOTCUA, name, *words, "--config", str(path), label=name)


def configured(world: Inventory, folder: Path, identity: Identity, port: int) -> Path:
    """Lay out a device: the bundle's agent.toml with the certificate files beside it, its outbox in the folder."""
    text = render_bundle(world, HostLayout(), f"mqtts://localhost:{port}")[f"devices/{KIOSK}.toml"]
    (folder / "tls").mkdir(parents=True)
    for name, file in (("ca.pem", identity.ca), ("device.pem", identity.cert), ("device.key", identity.key)):
        (folder / "tls" / name).write_bytes(file.read_bytes())
    path = folder / "agent.toml"
    path.write_text(text.replace("/var/lib/motcua/outbox.db", "outbox.db").replace("60000", "1000"))
    return path


def heartbeats(house: House) -> int:
    now = time.time_ns() // 1_000_000
    known = house.store.events(CENTRE, Window(now - 3_600_000, now + 3_600_000))
    return sum(s.device == KIOSK and isinstance(s.event, DeviceHeartbeat) for s in known)


def test_events_are_stored_and_receipted_over_mutual_tls(
    house: House, broker: Mosquitto, pki: Pki, world: Inventory, until: Until
) -> None:
    house.linked(server(house, "ingest", pki.client("motcua-ingest-1"), broker.port))
    house.linked(server(house, "rollup", pki.client("motcua-rollup"), broker.port))
    path = configured(world, house.folder / "device", pki.client(KIOSK), broker.port)
    agent = house.run(MOTCUA, "agent", "--config", str(path), label="agent")
    until(lambda: heartbeats(house) >= 3, "heartbeats are stored")
    until(lambda: "vn83-83" in {row.entity for row in house.store.live_rows()}, "rollup has made the centre's live row")
    broker.kill()
    broker.start_again()
    before = heartbeats(house)
    until(lambda: heartbeats(house) >= before + 2, "heartbeats go on after kill -9 of the broker", 40)
    agent.end()
    assert agent.exit_code(1) == 0, agent.text()
    with closing(Outbox(path.parent / "outbox.db", new_id)) as outbox:
        assert outbox.pending_count() < heartbeats(house), "receipts have emptied it"
