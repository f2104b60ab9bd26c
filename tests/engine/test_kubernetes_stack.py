"""The shipped Kubernetes stack by the real engine and provider on a real API server: first roll-out, edits in place.

Nothing runs there but the API server: no pod becomes ready, so the provider is told not to wait for any.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.engine.stack import CHECKOUT, Done, Project
from tests.engine.test_local_stack import names
from tests.engine.world import World, until
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAMS = ("kube-apiserver", "etcd", "pulumi-resource-kubernetes")
OPERATOR = "token-of-the-clusters-operator"
REPLACEMENTS = {"replace", "delete", "delete-replaced", "create-replacement"}
MAIN = """\
import pulumi
from infra.program import deploy_stack

def without_waiting(args):
    if args.type_.startswith("kubernetes:"):
        metadata = args.props.setdefault("metadata", {})
        metadata["annotations"] = {**metadata.get("annotations", {}), "pulumi.com/skipAwait": "true"}
    return pulumi.ResourceTransformResult(args.props, args.opts)

pulumi.runtime.register_resource_transform(without_waiting)
deploy_stack()
"""


@dataclass
class ApiServer:
    """A Kubernetes API server with its store, on the loopback."""

    url: str

    def object(self, path: str) -> dict[str, Any]:
        asked = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {OPERATOR}"})
        with urllib.request.urlopen(asked, timeout=60, context=ssl._create_unverified_context()) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def is_ready(self) -> bool:
        try:
            return bool(self.object("/api/v1/namespaces/default")["metadata"]["uid"])
        except (urllib.error.URLError, OSError):
            return False

    def config(self, folder: Path) -> Path:
        """Write the operator's kubeconfig."""
        path = folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": OPERATOR}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }))  # fmt: skip
        return path


@pytest.fixture(scope="module")
def api_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A server; skips without the programs, in CI too: they come from no package archive."""
    assert engine
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no Kubernetes: put {', '.join(missing)} on PATH (https://kubernetes.io/releases/download/)")
    folder = tmp_path_factory.mktemp("kubernetes")
    (folder / "tokens.csv").write_text(f"{OPERATOR},operator,operator,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", "accounts.key", "2048"], cwd=folder, check=True, capture_output=True)
    store, peers, port = free_port(), free_port(), free_port()
    where = f"http://127.0.0.1:{store}"
    commands = (
        ["etcd", "--data-dir", "etcd", "--listen-client-urls", where, "--advertise-client-urls", where,
         "--listen-peer-urls", f"http://127.0.0.1:{peers}"],
        ["kube-apiserver", "--etcd-servers", where, "--secure-port", str(port), "--bind-address", "127.0.0.1",
         "--cert-dir", "certs", "--service-account-issuer", "https://test", "--service-account-key-file",
         "accounts.key", "--service-account-signing-key-file", "accounts.key", "--token-auth-file", "tokens.csv",
         "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"],
    )  # fmt: skip
    processes = []
    for command in commands:
        with (folder / f"{command[0]}.log").open("wb") as log:
            processes.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
    server = ApiServer(f"https://127.0.0.1:{port}")
    try:
        until(server.is_ready, "the API server is ready")
        yield server
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)


@dataclass
class Rolled:
    """A stack on a cluster after its documented first roll-out, and what its two runs did."""

    project: Project
    first: Done
    second: Done


@pytest.fixture(scope="module")
def rolled(api_server: ApiServer, world_of: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    folder = tmp_path_factory.mktemp("cluster")
    project = Project(folder / "p", "kubernetes", {"KUBECONFIG": str(api_server.config(folder))})
    (project.root / "infra" / "__main__.py").write_text(MAIN)
    shipped = yaml.safe_load((CHECKOUT / "infra/stacks/Pulumi.kubernetes.yaml").read_text())["config"]
    values = {name.removeprefix("motcua:"): value for name, value in shipped.items()}
    world = world_of()
    project.configure(values, {**world.secrets, "influxPassword": "of-the-first-user"})
    first = project.up()
    cluster = {**values["kubernetes"], "influxReachable": True}
    project.configure({"kubernetes": cluster, "influx": {"url": f"http://127.0.0.1:{world.influx_port}"}})
    return Rolled(project, first, project.up())


def test_the_shipped_stack_rolls_out_in_two_runs_as_documented(rolled: Rolled) -> None:
    assert {"namespace-motcua", "authority-g1", "statefulset-influxdb"} <= set(rolled.first.touched)
    assert not {"deployment-ingest", "bucket-raw"} & set(rolled.first.touched)
    assert {"deployment-ingest", "deployment-api", "bucket-raw", "token-api-g1"} <= set(rolled.second.touched)
    assert not REPLACEMENTS & set(rolled.second.counts), rolled.second.text
    assert names(rolled.project.preview()) == set()


def test_an_edited_inventory_and_a_rotated_token_are_updates_in_place(rolled: Rolled, api_server: ApiServer) -> None:
    objects = {
        "configmap": "/api/v1/namespaces/motcua/configmaps/inventory-devices-csv",
        "secret": "/api/v1/namespaces/motcua/secrets/api",
    }
    before = {kind: api_server.object(path)["metadata"] for kind, path in objects.items()}
    pods = pod_annotations(api_server)
    with (rolled.project.inventory / "devices.csv").open("a") as devices:
        devices.write("vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n")
    rolled.project.configure({"tokens": {"generation": 2, "previous": "active"}})
    done = rolled.project.up()
    assert {"configmap-inventory-devices-csv", "secret-api"} <= names(done)
    assert not REPLACEMENTS & set(done.counts), done.text
    after = {kind: api_server.object(path)["metadata"] for kind, path in objects.items()}
    for kind, path in objects.items():
        assert after[kind]["uid"] == before[kind]["uid"], path
        assert after[kind]["resourceVersion"] != before[kind]["resourceVersion"], path
    assert pod_annotations(api_server) != pods, "a pod reads its token at its start only"


def pod_annotations(api_server: ApiServer) -> dict[str, str]:
    path = "/apis/apps/v1/namespaces/motcua/deployments/api"
    found: dict[str, str] = api_server.object(path)["spec"]["template"]["metadata"]["annotations"]
    return found
