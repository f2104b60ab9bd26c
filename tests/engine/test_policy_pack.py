"""Says that the policy pack starts as the engine starts it, finds a breach over gRPC, and stops a real preview."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2 as pb, analyzer_pb2_grpc

from infra.policy.catalogue import RULES
from infra.policy.resources import RESOURCE_RULE_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
PACK = CHECKOUT / "infra" / "policy" / "pack"
BUCKET = "pulumi-python:dynamic/motcua/influx:Bucket"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The pack in a process of its own, started by the SDK's own launcher, away from the checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        port = process.stdout.readline()
        assert port.strip().isdigit(), process.stderr.read().decode()
        with grpc.insecure_channel(f"127.0.0.1:{int(port)}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


def analyze(pack: Any, kind: str, props: dict[str, Any]) -> list[Any]:  # noqa: ANN401 - gRPC's types are not typed
    given = struct_pb2.Struct()
    given.update(props)
    urn = f"urn:pulumi:try::motcua::{kind}::thing"
    found = pack.Analyze(pb.AnalyzeRequest(type=kind, properties=given, urn=urn, name="thing"), timeout=60)
    return list(found.diagnostics)


def test_pack_names_its_policies(pack: Any) -> None:  # noqa: ANN401 - gRPC's types are not typed
    info = pack.GetAnalyzerInfo(_empty(), timeout=60)
    assert info.name == "motcua"
    assert {one.name for one in info.policies} == set(RESOURCE_RULE_IDS)
    weights = {"mandatory": pb.MANDATORY, "advisory": pb.ADVISORY}
    severities = {name: RULES[name].severity if name in RULES else "mandatory" for name in RESOURCE_RULE_IDS}
    assert all(one.enforcementLevel == weights[severities[one.name]] for one in info.policies)


def test_good_resource_passes_and_a_bad_one_is_named(pack: Any) -> None:  # noqa: ANN401 - gRPC's types are not typed
    assert analyze(pack, BUCKET, {"name": "motcua", "retention_s": 0}) == []
    found = analyze(pack, BUCKET, {"name": "motcua", "retention_s": 7200})
    assert [one.policyName for one in found] == ["retention"]
    assert "has a retention of 7200 s, less than 30 days" in found[0].message
    assert found[0].enforcementLevel == pb.MANDATORY


def test_values_that_a_preview_does_not_know_are_no_breach(pack: Any) -> None:  # noqa: ANN401 - likewise
    assert analyze(pack, BUCKET, {"name": UNKNOWN, "retention_s": UNKNOWN}) == []
    token = {"permissions": [{"action": "read", "type": "buckets", "bucket": UNKNOWN}]}
    assert analyze(pack, "pulumi-python:dynamic/motcua/influx:Authorization", token) == []


def test_nested_properties_are_examined(pack: Any) -> None:  # noqa: ANN401 - gRPC's types are not typed
    labels = {"labels": {"app.kubernetes.io/part-of": "motcua"}}
    service = {"kind": "Service", "metadata": labels, "spec": {"type": "LoadBalancer", "ports": [{"port": 8086}]}}
    found = analyze(pack, "kubernetes:core/v1:Service", service)
    assert {one.policyName for one in found} == {"balancer-sources", "store-closed"}


PROGRAM = """\
from infra.providers.resources import MotcuaResource

MotcuaResource("influx.bucket", "events", {"org": "o", "name": "motcua", "retention_s": %d})
"""


@pytest.mark.parametrize(("kept", "good"), [(7200, False), (0, True)])
def test_engine_stops_a_preview_that_breaks_a_rule_and_no_other(
    engine: str, tmp_path: Path, kept: int, good: bool
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: motcua\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM % kept)
    told = _run(engine, tmp_path, "preview", "--policy-pack", str(PACK), "--non-interactive")
    assert (told.returncode == 0) is good, told.stdout + told.stderr
    assert ("has a retention of 7200 s, less than 30 days" in told.stdout + told.stderr) is not good


def _empty() -> Any:  # noqa: ANN401 - likewise
    from google.protobuf import empty_pb2

    return empty_pb2.Empty()


def _run(engine: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir()
    env = {
        "PATH": os.pathsep.join([*(str(Path(one).parent) for one in (sys.executable, engine)), os.environ["PATH"]]),
        "HOME": str(home), "PULUMI_HOME": str(home / "pulumi"), "PULUMI_BACKEND_URL": f"file://{home}",
        "PULUMI_CONFIG_PASSPHRASE": "only for tests", "PULUMI_SKIP_UPDATE_CHECK": "1", "PYTHONPATH": str(CHECKOUT),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }  # fmt: skip
    made = subprocess.run(
        [engine, "stack", "init", "try", "--non-interactive"], cwd=folder, env=env, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return subprocess.run(
        [engine, *words, "-s", "try"], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
