"""The command blocks of docs/how-to/ that are marked as tested do what the page says, with the real programs."""

from __future__ import annotations

import http.client
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.host import server_setup
from infra.host.bundle import render_bundle
from infra.host.systemd_units import HostLayout
from motcua.system import wall_ms
from telemetry import inventory
from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import ConfigError
from telemetry.mqtt.link import LinkSettings
from telemetry.store import Batch, ChangeRecord
from telemetry.store.influx.adapter import InfluxStore
from telemetry.store.influx.address import InfluxAddress
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Identity
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.flow
PAGES = Path(__file__).resolve().parents[2] / "docs"
DEVICE = "vn83-28756-kiosk1"
BUCKETS = ["motcua", "motcua-5m", "motcua-1h", "motcua-1d"]
REVOKE = f"""
openssl ca -config ca.cnf -revoke {DEVICE}.pem
openssl ca -config ca.cnf -gencrl -out crl.pem
"""


def block(name: str) -> str:
    """Return the shell commands that exactly one page marks with this name."""
    marked = re.compile(rf"<!-- tested: {name} -->\n```sh\n(.*?)```", re.DOTALL)
    found = [text for page in PAGES.rglob("*.md") for text in marked.findall(page.read_text(encoding="utf-8"))]
    assert len(found) == 1, f"{len(found)} blocks are named {name}"
    return str(found[0])


def run(script: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


class Authority:
    """What the page's commands have made, by the names that a `Pki` has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca, self.crl = folder, folder / "ca.pem", folder / "crl.pem"
        self.server = self.client("server")

    def client(self, name: str) -> Identity:
        return Identity(self.ca, self.folder / f"{name}.pem", self.folder / f"{name}.key")


@pytest.fixture
def room(require: Callable[[str], str], tmp_path: Path) -> Iterator[Room]:
    for program in ("bash", "openssl"):
        require(program)
    folder = tmp_path / "authority"
    folder.mkdir()
    run(f"{block('certificates')}\nrequest {DEVICE} && sign {DEVICE} client", folder)
    made: Any = Authority(folder)
    one = Room(Mosquitto(require("mosquitto"), tmp_path / "broker", made), made, "localhost")
    yield one
    one.close()


def test_the_pages_certificates_open_the_broker_and_its_revocation_closes_it(room: Room) -> None:
    ingest = room.enter("motcua-ingest-1", topic_filter("up"))
    device = room.enter(DEVICE)
    assert device.publish(f"motcua/v1/vn83-28756/{DEVICE}/up", b"frame") == 0
    room.until(lambda: ingest.has(b"frame"), "ingest gets the frame")
    run(REVOKE, room.pki.folder)
    room.broker.reload()
    room.until(lambda: "Reloading config" in room.broker.text(), "the broker has read its files")
    assert room.knock(room.pki.client(DEVICE), LinkSettings(DEVICE)).links == 0
    assert room.enter("motcua-rollup").links == 1


@pytest.fixture
def unset(influxd_program: str, tmp_path: Path) -> Iterator[InfluxServer]:
    """A server that nobody has set up."""

    class Fresh(InfluxServer):
        def call(self, method: str, path: str, body: object = None, token: str = "") -> dict[str, Any]:
            return {"allowed": False} if path == "/api/v2/setup" else super().call(method, path, body, token)

    server = Fresh(influxd_program, tmp_path / "influxdb").start()
    yield server
    server.end()


def secrets(server: InfluxServer, folder: Path) -> dict[str, str]:
    """Run the page's commands with the bundle's program on PATH; returns each role's token."""
    programs = folder / "programs"
    programs.mkdir()
    world = inventory.load(inventory.default_path())
    (programs / "motcua-set-up-influxdb").write_text(
        render_bundle(world, HostLayout())[f"server/{server_setup.INFLUX_COMMAND}"]
    )
    (programs / "systemctl").write_text("#!/bin/sh\n[ \"$*\" = 'restart influxdb' ]\n")
    for path in programs.iterdir():
        path.chmod(0o755)
    where = f"export PATH={programs}:$PATH MOTCUA_INFLUX={server.url} MOTCUA_SECRETS={folder}\n"
    run(where + block("influxdb"), folder)
    names = ("ingest", "rollup", "api")
    found = {name: (folder / f"{name}.env").read_text().strip() for name in names}
    assert all(re.fullmatch(r"MOTCUA_STORE_TOKEN=\S{40,}", text) for text in found.values())
    assert all((folder / f"{name}.env").stat().st_mode & 0o077 == 0 for name in names)
    return {name: text.partition("=")[2] for name, text in found.items()}


def test_the_pages_tokens_may_what_their_role_needs_and_no_more(
    unset: InfluxServer, require: Callable[[str], str], tmp_path: Path
) -> None:
    require("curl")
    tokens = secrets(unset, tmp_path)
    assert len(set(tokens.values())) == 3
    raw, totals = BUCKETS[:1], BUCKETS[1:]
    for role, writes, reads in (("ingest", raw, raw), ("rollup", BUCKETS, BUCKETS), ("api", [], totals)):
        assert writable(unset, tokens[role]) == writes
        assert readable(unset, tokens[role]) == reads


def writable(server: InfluxServer, token: str) -> list[str]:
    return [name for name in BUCKETS if answers(server, f"/api/v2/write?org=motcua&bucket={name}", "x y=1i", token)]


def readable(server: InfluxServer, token: str) -> list[str]:
    flux = 'from(bucket: "{}") |> range(start: 0)'
    return [name for name in BUCKETS if answers(server, "/api/v2/query?org=motcua", flux.format(name), token)]


def answers(server: InfluxServer, path: str, body: str, token: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    kind = "application/vnd.flux" if "query" in path else "text/plain"
    connection.request("POST", path, body, {"Authorization": f"Token {token}", "Content-Type": kind})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status < 300


def test_each_role_opens_the_store_with_the_pages_token(
    unset: InfluxServer, require: Callable[[str], str], tmp_path: Path
) -> None:
    require("curl")
    for role, token in secrets(unset, tmp_path).items():
        store = InfluxStore(InfluxAddress(unset.url, "motcua", "motcua"), token)
        if role == "ingest":
            assert store.append(Batch(wall_ms() * 1000, [], [ChangeRecord("vn83-1", 0, 3_600_000)])) == []
        else:
            assert (store.live_rows(), store.row_ranges(), store.dead_letter_counts(), store.cursor()) == (
                [],
                [],
                {},
                0,
            )
        store.close()
    with pytest.raises(ConfigError):
        InfluxStore(InfluxAddress(unset.url, "motcua", "motcua"), "no token of ours")
