"""The inventory becomes a bundle, the bundle a kiosk, a ticket posted there a figure of its centre: no file is edited.

The bundle is installed below a folder instead of `/`; `--root` is the agent's option for that.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from telemetry import inventory
from tests.flow.conftest import MOTCUA
from tests.mosquitto import Mosquitto
from tests.pki import Identity, Pki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.flow.conftest import House
    from tests.flow.device import Until

pytestmark = pytest.mark.flow
CENTRE, KIOSK = "vn83-83", "vn83-83-kiosk1"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path, pki: Pki) -> Iterator[Mosquitto]:
    with Mosquitto(require("mosquitto"), tmp_path / "broker", pki) as one:
        yield one


def declare_inventory(folder: Path, port: int) -> None:
    """Write the sample inventory with another port of the kiosks' local endpoint: this machine has one loopback."""
    shutil.copytree(inventory.default_path(), folder)
    file = folder / "sources.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("port = 8137", f"port = {port}"), encoding="utf-8")


def install_device(bundle: Path, root: Path, identity: Identity) -> Path:
    """Do what `docs/how-to/install-one-server.md` says for a device, below `root`; returns its agent.toml."""
    shutil.copytree(bundle / "device", root)
    etc = root / "etc/motcua"
    shutil.copy(bundle / f"devices/{KIOSK}.toml", etc / "agent.toml")
    (etc / "tls").mkdir()
    (root / "var/lib/motcua").mkdir(parents=True)
    for name, file in (("ca.pem", identity.ca), ("device.pem", identity.cert), ("device.key", identity.key)):
        shutil.copy(file, etc / "tls" / name)
    return etc / "agent.toml"


def start_server(house: House, name: str, folder: Path, identity: Identity, port: int) -> None:
    settings = {
        "MOTCUA_INVENTORY": folder, "MOTCUA_STORE": house.store_url, "MOTCUA_MQTT": f"mqtts://localhost:{port}",
        "MOTCUA_MQTT_CA": identity.ca, "MOTCUA_MQTT_CERT": identity.cert, "MOTCUA_MQTT_KEY": identity.key,
    }  # fmt: skip
    path = house.folder / f"{name}.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    house.linked(house.run(MOTCUA, name, "--config", str(path), label=name))


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def post(port: int, event: dict[str, object]) -> int:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "kiosk-1-ticket-1"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/events", json.dumps(event).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def issued_on_page(url: str) -> int:
    """Return the tickets issued today, over the services in the table of a centre's page."""
    with urllib.request.urlopen(url, timeout=10) as page:
        counts = re.findall(r'data-label="Issued today">(\d+)<', page.read().decode())
    assert counts
    return sum(map(int, counts))


def test_a_ticket_posted_at_a_kiosk_of_the_rendered_bundle_is_on_its_centre_s_page(
    house: House, broker: Mosquitto, pki: Pki, until: Until, free_port: int, tmp_path: Path
) -> None:
    port, folder, bundle = free_port, tmp_path / "inventory", tmp_path / "bundle"
    declare_inventory(folder, port)
    house.ends("inventory", "check", str(folder))
    words = ("--inventory", str(folder), "--broker", f"mqtts://localhost:{broker.port}", "--out", str(bundle))
    house.ends("render", "--target", "host", *words)
    start_server(house, "ingest", folder, pki.client("motcua-ingest-1"), broker.port)
    start_server(house, "rollup", folder, pki.client("motcua-rollup"), broker.port)
    api = house.serve_api()
    root = tmp_path / "kiosk"
    agent = install_device(bundle, root, pki.client(KIOSK))
    house.listens(house.run(MOTCUA, "agent", "--config", str(agent), "--root", str(root), label="agent"), port)

    now = time.time_ns() // 1_000_000
    ticket = {
        "type": "ticket.issued",
        "t": now,
        "ticket": "k3f9",
        "queue": "land",
        "service": "land",
        "channel": "kiosk",
    }
    assert post(port, ticket) == 201

    window = "&".join(
        f"{name}={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now // 1000 + offset_s))}"
        for name, offset_s in (("from", -3600), ("to", 3600))
    )
    history = f"{api}/queues/history?centre={CENTRE}&service=land&{window}"
    rows = until(lambda: [row for row in get(history)["data"] if row["issued"]], "the API has the ticket")
    assert [(row["centre"], row["service"], row["issued"]) for row in rows] == [(CENTRE, "land", 1)]
    page_url = f"{api.removesuffix('/api/v1')}/centres/{CENTRE}?lang=en"
    until(lambda: issued_on_page(page_url) == 1, "the page has the ticket")
    assert agent.read_bytes() == (bundle / f"devices/{KIOSK}.toml").read_bytes()
    assert [path.name for path in (root / "var/lib/motcua").glob("*.db")] == ["outbox.db"]
