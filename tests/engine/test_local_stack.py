"""The stack `local` in the real engine on a real InfluxDB and mosquitto, from the first `up` to `destroy`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.stack import Done, Project
from tests.engine.world import World, until
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

MOTCUA = str(Path(sys.executable).parent / "motcua")
ROLES = ("ingest", "rollup", "api")
KIOSK = "vn83-83-kiosk1"
BUCKETS = {"motcua", "motcua-5m", "motcua-1h", "motcua-1d", "motcua-ops"}
TICKET = {"ticket": "k1", "queue": "land", "service": "land", "channel": "kiosk", "class": "normal"}
FOREIGN = {
    "username": "somebody", "password": "somebodys-own", "org": "foreign", "bucket": "foreign",
}  # fmt: skip


@dataclass
class Deployed:
    """A world, the project on it, and what the first `up` did."""

    world: World
    project: Project
    first: Done


def deploy(world: World, folder: Path, *, foreign: bool) -> Deployed:
    if foreign:
        world.call("POST", "/api/v2/setup", {**FOREIGN, "token": world.secrets["influxToken"]}, token="")
    project = Project(folder)
    project.configure(world.settings(), world.secrets)
    return Deployed(world, project, project.up())


@pytest.fixture(scope="module", params=["empty", "used"])
def deployed(
    request: pytest.FixtureRequest, world_of: Callable[[], World], tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    """On an empty InfluxDB, and on one that somebody uses already."""
    folder = tmp_path_factory.mktemp("project") / "p"
    return deploy(world_of(), folder, foreign=request.param == "used")


def test_one_up_makes_everything_and_a_second_changes_nothing(deployed: Deployed) -> None:
    assert set(deployed.first.counts) == {"create"}
    assert deployed.first.counts["create"] <= 100
    assert deployed.world.names("buckets") >= BUCKETS
    again = deployed.project.up()
    assert set(again.counts) == {"same"}, again.text
    assert set(deployed.project.preview().counts) == {"same"}


def test_an_agent_with_a_signed_certificate_delivers_and_the_api_serves(deployed: Deployed, tmp_path: Path) -> None:
    project, world = deployed.project, deployed.world
    until(lambda: world.listens(world.api_port), "the API listens")
    until(world.ingest_is_ready, "ingest serves its health, and is ready")
    posts = free_port()
    config = agent_of(project, world, tmp_path, posts)
    before = stored(world)
    agent = subprocess.Popen([MOTCUA, "agent", "--config", str(config)])
    try:
        until(lambda: World.listens(posts), "the agent takes events")
        post(posts, {"t": int(time.time() * 1000), "type": "ticket.issued", **TICKET})
        until(lambda: stored(world) > before, "the API shows the event as stored")
    finally:
        agent.terminate()
        agent.wait(60)


def agent_of(project: Project, world: World, folder: Path, posts: int) -> Path:
    """Make a device's key and request on the device, sign it with the stack's authority, write its agent.toml."""
    tls = folder / "tls"
    said(project, "ca", "request", "--name", KIOSK, "--out", str(tls))
    said(
        project, "ca", "sign", "--csr", str(tls / f"{KIOSK}.csr"), "--out", str(tls / "device.pem"), "--stack", "local"
    )
    (tls / f"{KIOSK}.key").rename(tls / "device.key")
    (tls / "ca.pem").write_text(project.outputs()["caBundle"])
    broker = f"mqtts://localhost:{world.broker_port}"
    text = said(project, "inventory", "render", "--device", KIOSK, "--mqtt", broker)
    config = folder / "agent.toml"
    assert "port = 8137" in text
    config.write_text(text.replace("port = 8137", f"port = {posts}"))
    return config


def said(project: Project, *words: str) -> str:
    run = subprocess.run(
        [MOTCUA, *words], cwd=project.root, env=project.env, check=True, capture_output=True, text=True
    )
    return run.stdout


def post(port: int, event: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/events", json.dumps(event).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": "ticket-k1"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status < 300


def stored(world: World) -> int:
    rows = world.api(f"/api/v1/completeness?device={KIOSK}")["data"]
    return sum(row["stored"] for row in rows if row["device"] == KIOSK)


def test_an_edit_of_the_inventory_touches_no_resource(deployed: Deployed) -> None:
    project = deployed.project
    devices = project.inventory / "devices.csv"
    text = devices.read_text()
    try:
        devices.write_text(text + "vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n")
        assert names(project.up()) == set(), "the access rules name no device"
    finally:
        devices.write_text(text)
        project.up()


def test_drift_by_hand_is_seen_and_repaired(deployed: Deployed) -> None:
    project, world = deployed.project, deployed.world
    bucket = world.bucket("motcua")
    rules = [{"type": "expire", "everySeconds": 7_776_000, "shardGroupDurationSeconds": 86_400}]
    world.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
    (world.folder / "roles" / "motcua.env").write_text("MOTCUA_STORE=nowhere\n")
    token = next(
        one for one in world.call("GET", "/api/v2/authorizations?org=motcua")["authorizations"]
        if "api-g1" in one["description"]
    )  # fmt: skip
    world.call("DELETE", f"/api/v2/authorizations/{token['id']}")
    project.refresh()
    assert set(project.up().touched) >= {"bucket-raw", "role-files", "token-api-g1"}
    assert world.bucket("motcua")["retentionRules"][0]["everySeconds"] == 400 * 86_400
    assert "influxdb+http" in (world.folder / "roles" / "motcua.env").read_text()
    assert set(project.preview().counts) == {"same"}


def test_tokens_are_rotated_with_an_overlap(deployed: Deployed) -> None:
    project, world = deployed.project, deployed.world
    settings = world.folder / "roles" / "api.env"
    try:
        project.configure({"tokens": {"generation": 2, "previous": "active"}})
        before = settings.read_text()
        assert {"token-api-g2", "token-ingest-g2", "token-rollup-g2", "role-files"} == names(project.up())
        assert settings.read_text() != before
        assert tokens(world) == {f"{role}-g{n}": "active" for role in ROLES for n in (1, 2)}
        project.configure({"tokens": {"generation": 2, "previous": "inactive"}})
        assert names(project.up()) == {f"token-{role}-g1" for role in ROLES}
        assert tokens(world)["api-g1"] == "inactive"
        project.configure({"tokens": {"generation": 2, "previous": "gone"}})
        project.up()
        assert set(tokens(world)) == {f"{role}-g2" for role in ROLES}
    finally:
        project.configure({"tokens": {"generation": 1}})
        project.up()


def names(done: Done) -> set[str]:
    """What a run touched; without the stack itself, and the provider, whose inputs are the configuration."""
    return {name for name in done.touched if not name.startswith("motcua-") and name != "default"}


def tokens(world: World) -> dict[str, str]:
    """Role and generation → status of every token of the stack."""
    found = world.call("GET", "/api/v2/authorizations?org=motcua")["authorizations"]
    return {one["description"].rpartition("-dev-")[2].split()[0]: one["status"] for one in found}


def test_certificates_are_renewed_on_their_day_and_a_revocation_touches_only_its_list(deployed: Deployed) -> None:
    project, world = deployed.project, deployed.world
    certificate = world.folder / "broker" / "server.pem"
    try:
        project.configure({"today": "2026-11-23"})
        project.up()
        before = certificate.read_text()
        project.configure({"pki": {"revoked": ["0a1b2c@2026-11-20"]}})
        assert names(project.up()) == {"revocations-g1", "broker-files"}
        project.configure({"today": "2027-09-04", "pki": {}})
        touched = names(project.up())
        assert {"certificate-broker-g2", "certificate-broker-g3", "broker-files", "role-files"} <= touched
        assert not any("authority" in name or "token" in name for name in touched)
        assert certificate.read_text() != before
        project.configure({"today": "2027-11-03"})
        assert "authority-g2" in names(project.up())
        assert (world.folder / "broker" / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 4
        assert set(project.preview().counts) == {"same"}
    finally:
        project.configure({"pki": {}})
        project.forget("today")
        project.up()


def test_no_secret_lies_open_in_state_output_or_logs(deployed: Deployed) -> None:
    project, world = deployed.project, deployed.world
    hidden = [*world.secrets.values(), *secrets_of(project)]
    assert len(hidden) >= 5
    said = deployed.first.text + project.up().text + project.command("stack", "output").stdout
    logs = "".join(path.read_text(errors="replace") for path in (world.folder / "run").glob("*.log"))
    for secret in hidden:
        for name, text in {"state": project.state(), "output": said, "logs": logs}.items():
            assert secret not in text, name


def secrets_of(project: Project) -> list[str]:
    """The tokens and, of the keys, their first line of figures."""
    found = json.loads(project.command("stack", "output", "--show-secrets", "--json").stdout)
    return [found["ingestToken"], found["rollupToken"], found["apiToken"], found["caKey"].splitlines()[1]]


def test_a_second_run_at_the_same_time_is_refused_and_harms_nothing(deployed: Deployed) -> None:
    project = deployed.project
    slow = project.begin("refresh", "--yes", "--skip-preview")
    until(lambda: list((project.folder / "state").rglob("locks/**/*.json")), "the first run has its lock")
    second = project.command("up", "--yes", "--skip-preview", "--non-interactive", check=False)
    said, _ = slow.communicate(timeout=120)
    assert slow.returncode == 0, said
    if second.returncode:
        assert "locked" in second.stdout + second.stderr
    assert set(project.preview().counts) == {"same"}
