"""The shipped stack `ground` by the real engine and provider on a real API server: no secret, then no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.engine.stack import CHECKOUT, Project
from tests.engine.test_local_stack import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube_server import KubeServer

FOREIGN_KINDS = (
    {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"},
    {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"},
)
"""Kinds of operators that the cluster has before the ground."""
OF_BEFORE = """\
import pulumi
from infra.program import deploy_stack

def with_the_providers_own_throttle(args):
    if args.type_ == "pulumi:providers:kubernetes":
        del args.props["kubeClientSettings"]
    return pulumi.ResourceTransformResult(args.props, args.opts)

pulumi.runtime.register_resource_transform(with_the_providers_own_throttle)
deploy_stack()
"""
"""The program as it was before the option `kubernetes.callsPerSecond`."""


def test_the_ground_rolls_out_without_a_secret_and_a_second_run_changes_nothing(
    api_server: KubeServer, tmp_path: Path
) -> None:
    shipped = yaml.safe_load((CHECKOUT / "infra/stacks/Pulumi.ground.yaml").read_text())["config"]
    project = Project(tmp_path / "p", "ground", {"KUBECONFIG": str(api_server.kubeconfig())})
    project.configure({name.removeprefix("motcua:"): value for name, value in shipped.items()})
    api_server.define_kinds(FOREIGN_KINDS)
    shipped_main = (project.root / "infra" / "__main__.py").read_text()
    (project.root / "infra" / "__main__.py").write_text(OF_BEFORE)
    first = project.up()
    assert {"namespace-edge", "gateway-edge-internet", "validatingadmissionpolicy-motcua-tls"} <= set(first.touched)
    assert names(project.preview()) == set()
    (project.root / "infra" / "__main__.py").write_text(shipped_main)
    throttle = project.up()
    assert names(throttle) == {"cluster"}, "the provider alone, and it replaces nothing"
    assert throttle.counts["update"] == 1
    assert names(project.preview()) == set()
