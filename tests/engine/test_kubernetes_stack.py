"""The shipped Kubernetes stack by the real engine and provider on a real API server: first roll-out, edits in place.

Nothing runs there but the API server: no pod becomes ready, so the provider is told not to wait for any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.engine.stack import CHECKOUT, Done, Project
from tests.engine.test_local_stack import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.world import World
    from tests.kube_server import KubeServer

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
class Rolled:
    """A stack on a cluster after its documented first roll-out, and what its two runs did."""

    project: Project
    first: Done
    second: Done


@pytest.fixture(scope="module")
def rolled(api_server: KubeServer, world_of: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    folder = tmp_path_factory.mktemp("cluster")
    project = Project(folder / "p", "kubernetes", {"KUBECONFIG": str(api_server.kubeconfig())})
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


def test_an_edited_inventory_and_a_rotated_token_are_updates_in_place(rolled: Rolled, api_server: KubeServer) -> None:
    objects = {
        "configmap": "/api/v1/namespaces/motcua/configmaps/inventory-devices-csv",
        "secret": "/api/v1/namespaces/motcua/secrets/api",
    }
    before = {kind: api_server.read_path(path)["metadata"] for kind, path in objects.items()}
    pods = pod_annotations(api_server)
    with (rolled.project.inventory / "devices.csv").open("a") as devices:
        devices.write("vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n")
    rolled.project.configure({"tokens": {"generation": 2, "previous": "active"}})
    done = rolled.project.up()
    assert {"configmap-inventory-devices-csv", "secret-api"} <= names(done)
    assert not REPLACEMENTS & set(done.counts), done.text
    after = {kind: api_server.read_path(path)["metadata"] for kind, path in objects.items()}
    for kind, path in objects.items():
        assert after[kind]["uid"] == before[kind]["uid"], path
        assert after[kind]["resourceVersion"] != before[kind]["resourceVersion"], path
    assert pod_annotations(api_server) != pods, "a pod reads its token at its start only"


def pod_annotations(api_server: KubeServer) -> dict[str, str]:
    path = "/apis/apps/v1/namespaces/motcua/deployments/api"
    found: dict[str, str] = api_server.read_path(path)["spec"]["template"]["metadata"]["annotations"]
    return found
