"""The processes of the fault matrix and the links between them; it must not decide what happens to them.

Two ingest workers in a shared subscription, the rollup, and three agents: a gateway that also follows a file,
a kiosk (both with heartbeats), and a kiosk whose outbox lies on a small disk.  Every role reaches broker and
store through a proxy.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.flow.conftest import Role
from tests.flow.device import wait_until
from tests.flow.faults.plan import CENTRE, DEVICES, GATEWAY, KIOSK, SMALL, WORKERS
from tests.flow.faults.proxy import Network
from tests.flow.faults.surroundings import python
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.flow.faults.surroundings import Broker, Kept

CHECKOUT = Path(__file__).resolve().parents[3]
DISK = "16m"
CONFIG = """device = "{device}"
centre = "{centre}"
mqtt = "{scheme}://127.0.0.1:{link}"
mqtt_ca = "{ca}"
mqtt_cert = "{cert}"
mqtt_key = "{key}"
outbox = "box/outbox.db"
[[source]]
kind = "http"
port = {port}
"""
HOST = """[[source]]
kind = "host"
every_ms = 2000
"""
FILE = """[[source]]
kind = "file"
path = "till.jsonl"
"""
BESIDE = {GATEWAY: HOST + FILE, KIOSK: HOST}


def mounted(folder: Path) -> bool:
    """Mount a small disk; tells whether this process may."""
    told = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    return subprocess.run(told, check=False, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


class Station:
    """One agent's place: its folder, its HTTP port, its clock and its process."""

    def __init__(self, device: str, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.port = free_port()
        self.box, self.till, self.clock = folder / "box", folder / "till.jsonl", folder / "clock"
        self.box.mkdir(parents=True)
        self.role: Role

    def step(self, ahead_ms: int) -> None:
        """Set the device's wall clock; written aside and renamed, so that no half of it is read."""
        new = self.clock.with_suffix(".new")
        new.write_text(str(ahead_ms))
        new.rename(self.clock)

    @property
    def ahead_ms(self) -> int:
        return int(self.clock.read_text()) if self.clock.exists() else 0

    def pending(self) -> int | None:
        """Return how many rows wait for a receipt, None when nobody answers."""
        try:
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            line.request("GET", "/healthz")
            return int(json.loads(line.getresponse().read())["pending"])
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            line.close()


class Cell:
    """All processes; `close` ends each."""

    def __init__(self, folder: Path, broker: Broker, store: Kept, *, small_disk: bool) -> None:
        self.folder, self.broker, self.store = folder, broker, store
        self.network = Network()
        self.stations = {device: Station(device, folder / device) for device in DEVICES}
        self.small_disk = small_disk
        if small_disk:
            assert mounted(self.stations[SMALL].box), "no small disk could be mounted"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        self._env = {**kept, "COLUMNS": "200", "PYTHONPATH": str(CHECKOUT)}
        self.servers: dict[str, Role] = {}

    def start(self) -> None:
        for worker in WORKERS:
            self._serve(f"ingest-{worker}", "ingest", "--shared", "--name", worker)
        self._serve("rollup", "rollup")
        for name, role in self.servers.items():
            wait_until(lambda role=role: "linked  " in role.text(), f"{name} is linked", 30)  # type: ignore[misc]
        for station in self.stations.values():
            self._employ(station)
        for station in self.stations.values():
            wait_until(lambda s=station: s.pending() is not None, f"{station.device} answers", 30)  # type: ignore[misc]

    def _serve(self, name: str, *words: str) -> None:
        where = self.broker.address(f"motcua-{name}", self.network.link(name, self.broker.port).port)
        store = f"store-{name.removeprefix('ingest-')}"
        port = self.network.link(store, self.store.port).port if self.store.port else 0
        env = {
            "MOTCUA_MQTT": f"{'mqtts' if where.tls else 'mqtt'}://127.0.0.1:{where.port}",
            "MOTCUA_MQTT_CA": where.ca, "MOTCUA_MQTT_CERT": where.cert, "MOTCUA_MQTT_KEY": where.key,
            **self.store.environment(port),
        }  # fmt: skip
        self.servers[name] = self._run(name, "", *words, env=env)

    def _employ(self, station: Station) -> None:
        where = self.broker.address(station.device, self.network.link(station.device, self.broker.port).port)
        scheme = "mqtts" if where.tls else "mqtt"
        text = CONFIG.format(
            device=station.device, centre=CENTRE, scheme=scheme, link=where.port, ca=where.ca, cert=where.cert,
            key=where.key, port=station.port,
        )  # fmt: skip
        file = station.folder / "agent.toml"
        file.write_text(text + BESIDE.get(station.device, ""))
        station.role = self._run(station.device, str(station.clock), "agent", "--config", str(file), env={})

    def _run(self, name: str, clock: str, *words: str, env: Mapping[str, str]) -> Role:
        log = self.folder / f"{name}.log"
        return Role([*python("launch.py"), clock, *words], log, {**self._env, **env})

    def roles(self) -> dict[str, Role]:
        return {**self.servers, **{d: s.role for d, s in self.stations.items() if hasattr(s, "role")}}

    def boxes(self) -> dict[str, Path]:
        return {device: station.box / "outbox.db" for device, station in self.stations.items()}

    def dead(self) -> list[str]:
        """Return the roles that ended without being killed by us."""
        return [name for name, role in self.roles().items() if not role.running]

    def close(self) -> None:
        for role in reversed(self.roles().values()):
            role.end()
        self.network.close()
        if self.small_disk:
            unmount(self.stations[SMALL].box)
