"""The shipped stack `hosted` with Motcua as one of its systems, by the real engine on a real API server and InfluxDB.

No controller runs there, so nothing becomes ready: the provider is told not to wait. The inventory is the sample with
two of its systems hosted, because all of them take minutes to register and prove no more.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.stack import CHECKOUT, Done, Project
from tests.engine.test_kubernetes_stack import MAIN
from tests.engine.test_local_stack import names
from tests.kube.objects import DATABASE_DEFINITIONS, namespace
from tests.own_objects import MOTCUA, own_declaration, own_objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.engine.world import World
    from tests.kube_server import KubeServer

OTHER = "vn83-eform"
KEPT = {MOTCUA, OTHER}
OPERATOR_NAMESPACES = ("platform-metrics", "velero")
ROLES = ("ingest", "rollup", "api")
PASSWORD = "of-the-first-user"


def host_two_systems(folder: Path) -> None:
    """Take all systems but two out of the hosted ones; they stay systems that are run elsewhere."""
    for name, columns in (("components.csv", 1), ("cloud.lock", 1), ("flows.csv", 2)):
        first, *rows = (folder / name).read_text().splitlines(keepends=True)
        kept = [row for row in rows if not row.startswith('"') and are_kept(row.split(",")[:columns])]
        (folder / name).write_text(first + "".join(kept))
    for name in ("systems.toml", "cloud.toml"):
        kept, system = [], ""
        for paragraph in (folder / name).read_text().split("\n\n"):
            named = re.search(r'^(?:id|system) = "(.*)"', paragraph, re.MULTILINE)
            system = named[1] if named else system
            if system in KEPT or not re.search(r"^\[(system\.hosted|\[drill\])\]", paragraph, re.MULTILINE):
                kept.append(paragraph)
        (folder / name).write_text("\n\n".join(kept))


def are_kept(ends: list[str]) -> bool:
    systems = {end.partition("/")[0] for end in ends if not end.startswith("outside:")}
    return systems <= KEPT


@dataclass
class Rolled:
    """The stack after its two documented runs, and what they did."""

    project: Project
    world: World
    first: Done
    second: Done


@pytest.fixture(scope="module")
def rolled(api_server: KubeServer, world_of: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    shipped = yaml.safe_load((CHECKOUT / "infra/stacks/Pulumi.hosted.yaml").read_text())["config"]
    values: dict[str, Any] = {name.removeprefix("motcua:"): value for name, value in shipped.items()}
    project = Project(tmp_path_factory.mktemp("hosted") / "p", "hosted", {"KUBECONFIG": str(api_server.kubeconfig())})
    (project.root / "infra" / "__main__.py").write_text(MAIN)
    host_two_systems(project.inventory)
    objects = own_objects(own_declaration(OTHER)).hosted
    api_server.define(*DATABASE_DEFINITIONS)
    api_server.define_kinds((*objects.hosted, *objects.agents))
    for name in OPERATOR_NAMESPACES:
        api_server.apply(namespace(name))
    world = world_of()
    project.configure(values, {**world.secrets, "influxPassword": PASSWORD})
    first = project.up()
    influx = {"kubernetes": {"influxReachable": True}, "influx": {"url": f"http://127.0.0.1:{world.influx_port}"}}
    project.configure(influx)
    return Rolled(project, world, first, project.up())


def test_the_first_run_makes_certificates_and_stores_and_the_second_tokens_and_roles(rolled: Rolled) -> None:
    stores = {f"statefulset-{MOTCUA}-database-influxdb", f"statefulset-{MOTCUA}-server-broker", "authority-g1"}
    roles = {f"deployment-{MOTCUA}-server-{role}" for role in ROLES}
    later = roles | {"bucket-raw", "token-api-g1", f"deployment-{MOTCUA}-dmz-web"}
    assert stores <= set(rolled.first.touched)
    assert not later & set(rolled.first.touched)
    assert later <= set(rolled.second.touched)
    assert not {"replace", "delete"} & set(rolled.second.counts), rolled.second.text
    assert f"deployment-{OTHER}-dmz-web" in rolled.first.touched


def test_a_third_run_changes_nothing(rolled: Rolled) -> None:
    assert names(rolled.project.preview()) == set()


def test_the_roles_have_tokens_that_influxdb_accepts_for_their_work_alone(
    rolled: Rolled, api_server: KubeServer
) -> None:
    token = secrets_of(api_server, "server")["api"]["token"]
    assert rolled.world.ask("GET", "/api/v2/buckets?org=motcua&name=motcua", token=token)[0] == 200
    assert rolled.world.ask("POST", "/api/v2/write?org=motcua&bucket=motcua", "x f=1", token)[0] == 403
    assert secrets_of(api_server, "database")["influxdb-setup"] == {
        "token": rolled.world.secrets["influxToken"], "password": PASSWORD,
    }  # fmt: skip


def test_no_secret_of_the_cluster_lies_open_in_state_or_output(rolled: Rolled, api_server: KubeServer) -> None:
    places = {"state": rolled.project.state(), "output": rolled.first.text + rolled.second.text,
              "stack output": rolled.project.command("stack", "output", "--json").stdout}  # fmt: skip
    found = [value for zone in ("server", "database") for one in secrets_of(api_server, zone).values()
             for key, value in one.items() if not key.endswith(".pem")]  # fmt: skip
    assert len(found) >= 10
    for value in found:
        # A line of it, because a file of several lines is written with escapes.
        line = max(value.splitlines(), key=len)
        assert [name for name, text in places.items() if line in text] == []
    certificate = secrets_of(api_server, "server")["broker-tls"]["ca.pem"].splitlines()[1]
    assert certificate in places["state"], "what is public is found, so that the search above can find"


def secrets_of(server: KubeServer, zone: str) -> dict[str, dict[str, str]]:
    """Return the Secrets of a zone of Motcua, name → key → value."""
    items = server.read_path(f"/api/v1/namespaces/{MOTCUA}-{zone}/secrets")["items"]
    return {
        one["metadata"]["name"]: {key: b64decode(text).decode() for key, text in one["data"].items()} for one in items
    }
