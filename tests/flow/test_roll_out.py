"""docs/how-to/run-a-province.md: declared, rendered, installed, a ticket on the page; no rendered file is edited.

The bundle is installed below a folder instead of `/`; `--root` is the agent's option for that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.flow.conftest import MOTCUA

if TYPE_CHECKING:
    from tests.flow.conftest import House, Role
    from tests.flow.device import Until
    from tests.mosquitto import Mosquitto
    from tests.pki import Identity, Pki

pytestmark = pytest.mark.flow
ROOT = Path(__file__).resolve().parents[2]
CENTRE, KIOSK = "vn83-829", "vn83-829-kiosk2"


class Office:
    """The folder in which the page's commands run, and what stands for the page's broker and port there."""

    def __init__(self, folder: Path, broker_port: int, port: int) -> None:
        self.folder, self.port = folder, port
        self._broker = f"localhost:{broker_port}"
        folder.mkdir()
        (folder / "inventory").symlink_to(ROOT / "inventory")
        self._env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(self, name: str) -> str:
        """Run the block of this name."""
        page = (ROOT / "docs/how-to/run-a-province.md").read_text(encoding="utf-8")
        (script,) = re.findall(rf"<!-- tested: {name} -->\n```sh\n(.*?)```", page, re.DOTALL)
        script = script.replace("mqtt.example:8883", self._broker).replace(":8137", f":{self.port}")
        done = subprocess.run(
            ["bash", "-eu", "-c", script], cwd=self.folder, env=self._env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def declare(self) -> None:
        """Declare the page's kiosk, on a port of its own: all devices of a test have one loopback."""
        self.run("province-declare")
        file = self.folder / "my-province/sources.toml"
        file.write_text(
            file.read_text(encoding="utf-8").replace("port = 8137", f"port = {self.port}"), encoding="utf-8"
        )


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


def start_server(house: House, name: str, folder: Path, identity: Identity, port: int) -> Role:
    settings = {
        "MOTCUA_INVENTORY": folder, "MOTCUA_STORE": house.store_url, "MOTCUA_MQTT": f"mqtts://localhost:{port}",
        "MOTCUA_MQTT_CA": identity.ca, "MOTCUA_MQTT_CERT": identity.cert, "MOTCUA_MQTT_KEY": identity.key,
    }  # fmt: skip
    path = house.folder / f"{name}.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    return house.run(MOTCUA, name, "--config", str(path), label=name)


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def issued_on_page(url: str) -> int:
    """Return the tickets issued today, over the services in the table of a centre's page."""
    with urllib.request.urlopen(url, timeout=60) as page:
        counts = re.findall(r'data-label="Issued today">(\d+)<', page.read().decode())
    assert counts
    return sum(map(int, counts))


def test_a_ticket_posted_at_a_kiosk_of_the_rendered_bundle_is_on_its_centre_s_page(
    house: House, broker: Mosquitto, pki: Pki, until: Until, free_port: int, tmp_path: Path
) -> None:
    office = Office(tmp_path / "office", broker.port, free_port)
    office.declare()
    folder, bundle, root = office.folder / "my-province", office.folder / "bundle", tmp_path / "kiosk"
    servers = [
        start_server(house, name, folder, pki.client(certificate), broker.port)
        for name, certificate in (("ingest", "motcua-ingest-1"), ("rollup", "motcua-rollup"))
    ]
    office.run("province-render")
    agent = install_device(bundle, root, pki.client(KIOSK))
    device = house.run(MOTCUA, "agent", "--config", str(agent), "--root", str(root), label="agent")
    api = house.serve_api()
    for role in servers:
        house.linked(role)
    house.listens(device, free_port)
    now = time.time()
    assert json.loads(office.run("province-ticket"))["warnings"] == []

    window = "&".join(
        f"{name}={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now + offset_s))}"
        for name, offset_s in (("from", -3600), ("to", 3600))
    )
    history = f"{api}/queues/history?centre={CENTRE}&service=land&{window}"
    rows = until(lambda: [row for row in get(history)["data"] if row["issued"]], "the API has the ticket")
    assert [(row["centre"], row["service"], row["issued"]) for row in rows] == [(CENTRE, "land", 1)]
    page_url = f"{api.removesuffix('/api/v1')}/centres/{CENTRE}?lang=en"
    until(lambda: issued_on_page(page_url) == 1, "the page has the ticket")
    assert agent.read_bytes() == (bundle / f"devices/{KIOSK}.toml").read_bytes()
    assert [path.name for path in (root / "var/lib/motcua").glob("*.db")] == ["outbox.db"]
