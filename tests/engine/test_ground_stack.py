"""The shipped stack `ground` by the real engine and provider on a real API server: no secret, then no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.engine.stack import CHECKOUT, Project
from tests.engine.test_local_stack import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube_server import KubeServer


def test_the_ground_rolls_out_without_a_secret_and_a_second_run_changes_nothing(
    api_server: KubeServer, tmp_path: Path
) -> None:
    shipped = yaml.safe_load((CHECKOUT / "infra/stacks/Pulumi.ground.yaml").read_text())["config"]
    project = Project(tmp_path / "p", "ground", {"KUBECONFIG": str(api_server.kubeconfig())})
    project.configure({name.removeprefix("motcua:"): value for name, value in shipped.items()})
    api_server.define_kinds([{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}])
    first = project.up()
    assert {"namespace-edge", "gateway-edge-internet", "validatingadmissionpolicy-motcua-tls"} <= set(first.touched)
    assert names(project.preview()) == set()
