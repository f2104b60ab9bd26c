"""The whole program under mocks, once for each shipped stack: configuration in, resources and outputs out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml

from infra import program, stack_state
from infra.config.stack_file import load_declarations
from infra.policy.catalogue import Finding
from infra.providers.dynamic import DynamicProvider, restore_integers
from infra.providers.resources import RESOURCE_TYPES
from tests.cloud_examples import ONESTOP, base_declaration, with_components
from tests.program.pulumi_monitor import Recorded, Registered, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config.options import StackOptions
    from infra.config.stack_file import EngineConfig
    from telemetry.core.cloud.values import CloudDeclaration
    from telemetry.core.inventory import Inventory

CHECKOUT = Path(__file__).resolve().parents[2]
STACKS = ("local", "kubernetes", "openstack")
NOTHING: Mapping[str, object] = {}
SECRETS = {"influxToken": "planted-operator-token", "influxPassword": "planted-influx-password"}
MADE: Mapping[str, dict[str, object]] = {
    "Authorization": {"token": "planted-role-token"},
    "Authority": {"key": "planted-authority-key", "certificate": "CERTIFICATE", "chain": "CHAIN"},
    "Certificate": {"key": "planted-service-key", "certificate": "CERTIFICATE"},
    "RevocationList": {"crl": "CRL"},
    "LoadBalancer": {"vipPortId": "vip"},
    "FloatingIp": {"address": "203.0.113.7"},
}


def answered(one: Registered) -> dict[str, Any]:
    return dict(MADE.get(one.type.rpartition(":")[2], {}))


def configuration(stack: str) -> dict[str, object]:
    told = yaml.safe_load((CHECKOUT / f"infra/stacks/Pulumi.{stack}.yaml").read_text())["config"]
    return {name.removeprefix("motcua:"): value for name, value in told.items()}


def looked_up(**told: object) -> pulumi.Output[SimpleNamespace]:
    """Stand for what a cloud answers when it is asked for a network or an image by name."""
    return pulumi.Output.from_input(f"id-of-{told['name']}").apply(lambda ident: SimpleNamespace(id=ident))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Stand where the engine stands: it says where the project is, and which values are secret."""
    from pulumi_openstack import images, networking

    monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(CHECKOUT))
    monkeypatch.setattr(networking, "get_network_output", looked_up)
    monkeypatch.setattr(images, "get_image_output", looked_up)
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([f"motcua:{name}" for name in SECRETS]))
    return monkeypatch


def deployed(
    engine: pytest.MonkeyPatch,
    stack: str,
    more: Mapping[str, object] = NOTHING,
    *,
    preview: bool = False,
    earlier: dict[str, Any] | None = None,
) -> Recorded:
    values = {**configuration(stack), **SECRETS, **more}
    texts = {
        f"motcua:{name}": one if isinstance(one, str) else json.dumps(one, default=str) for name, one in values.items()
    }
    engine.setenv("PULUMI_CONFIG", json.dumps(texts))
    return run(program.deploy_stack, answered, preview=preview, stack=stack, earlier=earlier)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("stack", STACKS)
def test_a_shipped_stack_deploys_and_keeps_its_secrets(engine: pytest.MonkeyPatch, stack: str, preview: bool) -> None:
    found = deployed(engine, stack, preview=preview)
    assert [one.type for one in found.resources if not one.parent or one.parent.endswith(f"motcua-{stack}")] == [
        "motcua:platform:Province"
    ]
    planted = {name: str(value) for made in MADE.values() for name, value in made.items() if "planted" in str(value)}
    assert found.leaks({**SECRETS, **planted}) == []
    assert found.of("pulumi-python:dynamic/motcua/pki:Authority")
    assert "caKey" in found.secret_exports or preview


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("stack", STACKS)
def test_an_edit_of_the_inventory_is_an_output_of_every_target(
    engine: pytest.MonkeyPatch, tmp_path: Path, stack: str, preview: bool
) -> None:
    first = deployed(engine, stack).exports
    assert first["inventoryChanges"][0].startswith("first roll-out: ")
    again = deployed(engine, stack, preview=preview, earlier=first).exports
    assert {name: again[name] for name in ("inventoryChanges", "inventoryRecord")} == {
        name: first[name] for name in ("inventoryChanges", "inventoryRecord")
    }
    world = tmp_path / "world"
    shutil.copytree(CHECKOUT / "inventory" / "bentre-2021", world)
    with (world / "devices.csv").open("a") as devices:
        devices.write("vn83-83-kiosk9,vn83-83,kiosk,60000,yes\n")
    edited = deployed(engine, stack, {"inventory": str(world)}, preview=preview, earlier=first).exports
    assert edited["inventoryChanges"][1:] == ["+ device vn83-83-kiosk9 (kiosk, vn83-83)"]


def test_roles_of_a_cluster_follow_when_influxdb_is_reachable(engine: pytest.MonkeyPatch) -> None:
    cluster = configuration("kubernetes")["kubernetes"]
    assert isinstance(cluster, dict)
    first = {one.name for one in deployed(engine, "kubernetes").resources}
    second = {
        one.name
        for one in deployed(engine, "kubernetes", {"kubernetes": {**cluster, "influxReachable": True}}).resources
    }
    assert "deployment-ingest" not in first
    assert second >= {"deployment-ingest", "deployment-rollup", "deployment-api", "token-ingest-g1", "bucket-raw"}
    assert first < second


def test_no_key_of_a_machine_in_the_cloud_lies_in_the_state(engine: pytest.MonkeyPatch) -> None:
    assert deployed(engine, "openstack").of("pulumi-python:dynamic/motcua/pki:Certificate") == []


def faults(engine: pytest.MonkeyPatch, stack: str, **more: object) -> str:
    with pytest.raises(pulumi.RunError) as refused:
        deployed(engine, stack, more)
    return str(refused.value)


def test_all_faults_of_stack_secrets_and_inventory_are_told_at_once(engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = tmp_path / "world"
    shutil.copytree(CHECKOUT / "inventory" / "bentre-2021", world)
    (world / "devices.csv").write_text("id,centre,kind\nX,vn83-83,kiosk\n")
    engine.setenv("PULUMI_CONFIG_SECRET_KEYS", "[]")
    said = faults(engine, "local", influx={"rawDays": 3}, pki={"overlapDays": 300}, colour="red", inventory=str(world))
    wanted = ("motcua:influx.rawDays", "motcua:pki.overlapDays", "motcua:colour", "devices.csv", "motcua:influxToken")
    assert [name for name in wanted if name not in said] == []


def test_a_root_that_is_no_file_is_named(engine: pytest.MonkeyPatch) -> None:
    said = faults(engine, "local", stage="prod", pki={"rootCertificate": "nowhere/root.pem"})
    assert "motcua:pki.rootCertificate: there is no file nowhere/root.pem" in said


@pytest.mark.parametrize("text", ["{half", "[1,", "{}"])
def test_a_structure_that_is_none_is_named_and_a_secret_that_looks_like_one_is_kept(
    engine: pytest.MonkeyPatch, text: str
) -> None:
    found = deployed(engine, "local", {"influxPassword": "{not json"})
    assert found.one("influxdb").inputs["password"] == "{not json"
    assert "motcua:workers" in faults(engine, "local", workers=text)


def test_missing_secrets_are_told_beside_other_faults(engine: pytest.MonkeyPatch) -> None:
    said = faults(engine, "local", influxToken="", influx={"rawDays": 3})
    assert "motcua:influxToken" in said
    assert "motcua:influx.rawDays" in said


def test_missing_secrets_are_named_with_the_way_out(engine: pytest.MonkeyPatch) -> None:
    said = faults(engine, "kubernetes", influxToken="", influxPassword="")
    assert "pulumi config set --secret influxToken" in said
    assert "pulumi config set --secret influxPassword" in said


def test_a_secret_that_stands_open_is_refused_and_not_repeated(engine: pytest.MonkeyPatch) -> None:
    engine.setenv("PULUMI_CONFIG_SECRET_KEYS", "[]")
    said = faults(engine, "local")
    assert "motcua:influxToken" in said
    assert SECRETS["influxToken"] not in said


def test_what_breaks_a_mandatory_rule_is_not_deployed(engine: pytest.MonkeyPatch) -> None:
    broken = Finding("retention", "bucket motcua", "is too short", "keep longer")
    engine.setattr(program, "check_plan", lambda *_: [broken])
    assert "retention" in faults(engine, "local")


def test_an_inventory_with_a_fault_is_named_by_file(engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = faults(engine, "local", inventory=str(tmp_path / "nowhere"))
    assert "there is no such folder" in said


OWN_TYPES = {f"pulumi-python:{declared.token}": kind for kind, declared in RESOURCE_TYPES.items()}
ISSUER = {"issuer_certificate", "issuer_chain", "issuer_key"}


@pytest.mark.parametrize(("stack", "reachable"), [(name, True) for name in STACKS] + [("kubernetes", False)])
def test_no_resource_of_a_shipped_stack_is_refused_by_its_own_check(
    engine: pytest.MonkeyPatch, stack: str, reachable: bool
) -> None:
    """Mocks check nothing: this does what a real run does before each resource is created."""
    cluster = {**as_mapping(configuration(stack).get("kubernetes", {})), "influxReachable": reachable}
    found = deployed(engine, stack, {"kubernetes": cluster} if stack == "kubernetes" else {})
    checked = 0
    for one in found.resources:
        kind = OWN_TYPES.get(one.type, "")
        if not kind:
            continue
        opened = DynamicProvider(kind, "try").open_kind(lambda _: "")
        inputs = as_mapping(restore_integers({**one.inputs, "__provider": None}))
        faults = [fault for fault in opened.check({}, inputs)[1] if fault.field not in ISSUER]
        assert faults == [], one.name
        checked += 1
    assert checked >= 1


def test_what_a_resource_would_refuse_is_told_with_the_other_faults_at_its_line(
    engine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project(engine, tmp_path)
    (tmp_path / "root.pem").write_bytes(b"\xff no certificate")
    text = (
        "config:\n  motcua:stage: prod\n  motcua:target: local\n  motcua:influx:\n    org: 'ends in a blank '\n"
        "  motcua:pki:\n    rootCertificate: root.pem\n  motcua:influxToken:\n    secure: x\n"
    )
    (tmp_path / "infra/stacks/Pulumi.local.yaml").write_text(text)
    said = refused(engine, {
        "stage": "prod", "target": "local", "influx": {"org": "ends in a blank "}, "influxToken": "t",
        "pki": {"rootCertificate": "root.pem"},
    })  # fmt: skip
    assert "infra/stacks/Pulumi.local.yaml:5: motcua:influx.org: begins or ends with a blank; remove it" in said
    assert "infra/stacks/Pulumi.local.yaml:7: motcua:pki.rootCertificate: " in said
    assert len(said.strip().splitlines()) == 2


def test_faults_of_a_run_name_the_line_in_the_stack_file(engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project(engine, tmp_path)
    text = (
        "config:\n  motcua:stage: dev\n  motcua:target: local\n  motcua:influx:\n    rawDays: 3\n  motcua:colour: red\n"
    )
    (tmp_path / "infra/stacks/Pulumi.local.yaml").write_text(text)
    said = refused(engine, {"stage": "dev", "target": "local", "influx": {"rawDays": 3}, "colour": "red"})
    assert "infra/stacks/Pulumi.local.yaml:5: motcua:influx.rawDays: " in said
    assert "infra/stacks/Pulumi.local.yaml:6: motcua:colour: " in said
    assert "infra/stacks/Pulumi.local.yaml: motcua:influxToken: is missing" in said
    other = refused(engine, {"stage": "dev", "target": "local", "influx": {"rawDays": 3}})
    assert ":5:" not in other, "the engine read another file, whose lines nobody knows"


def project(engine: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a project's folder with the sample inventory, where the engine finds it."""
    (folder / "infra/stacks").mkdir(parents=True)
    (folder / "inventory").symlink_to(CHECKOUT / "inventory")
    engine.setattr(pulumi, "get_root_directory", lambda: str(folder))


def test_the_ground_of_the_cloud_needs_no_secret_of_motcuas_own_stack(engine: pytest.MonkeyPatch) -> None:
    engine.setenv("PULUMI_CONFIG_SECRET_KEYS", "[]")
    texts = {f"motcua:{name}": value if isinstance(value, str) else json.dumps(value)
             for name, value in configuration("local-ground").items()}  # fmt: skip
    engine.setenv("PULUMI_CONFIG", json.dumps(texts))
    found = run(program.deploy_stack, answered, stack="local-ground")
    assert [one.name for one in found.of("pulumi-python:dynamic/motcua/host:Files")] == ["files-ground"]


def refused(engine: pytest.MonkeyPatch, values: Mapping[str, object]) -> str:
    texts = {f"motcua:{name}": one if isinstance(one, str) else json.dumps(one) for name, one in values.items()}
    engine.setenv("PULUMI_CONFIG", json.dumps(texts))
    with pytest.raises(pulumi.RunError) as raised:
        run(program.deploy_stack, answered, stack="local")
    return str(raised.value)


def as_mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(("failures", "first"), [(2, False), (99, True)])
def test_a_state_that_is_being_written_is_read_again(engine: pytest.MonkeyPatch, failures: int, first: bool) -> None:
    """Between two moments the file is empty: the engine cuts it short and writes it anew."""
    before = deployed(engine, "local").exports
    left = [Exception("failed to load checkpoint: EOF")] * failures
    invoke = pulumi.runtime.invoke

    def unreliable(*given: Any) -> Any:  # noqa: ANN401 - Pulumi's types are not typed
        if left:
            raise left.pop()
        return invoke(*given)

    engine.setattr(pulumi.runtime, "invoke", unreliable)
    engine.setattr(stack_state, "STATE_PAUSES_S", (0.0, 0.0, 0.0))
    after = deployed(engine, "local", earlier={**before, "inventoryChanges": ["of the last edit"]}).exports
    assert (after["inventoryChanges"][0].startswith("first roll-out")) is first
    assert (after["inventoryChanges"] == ["of the last edit"]) is not first


def hosting(engine: pytest.MonkeyPatch, cloud: CloudDeclaration) -> None:
    """Let the sample's province host other systems."""
    read = load_declarations

    def load(config: EngineConfig, root: Path) -> tuple[StackOptions, Inventory]:
        options, inventory = read(config, root)
        return options, replace(inventory, cloud=cloud)

    engine.setattr(program, "load_declarations", load)


HOSTED: Mapping[str, object] = {
    **configuration("kubernetes"),
    **SECRETS,
    "cloud": {"part": "ground"},
    "today": "2026-11-29",
}


def test_a_fault_of_a_hosted_system_is_refused_at_its_line(engine: pytest.MonkeyPatch) -> None:
    lone = with_components(base_declaration(), f"{ONESTOP}/app", least=1, declared_at="components.csv:3")
    hosting(engine, lone)
    problem = refused(engine, HOSTED)
    assert f"components.csv:3: {ONESTOP}/app: replicas: runs 1 of the 2 instances" in problem
    assert "(TCVN 14423:2026 5.12.2.2 a)" in problem


def test_a_hint_about_a_hosted_system_is_a_warning(engine: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    engine.setattr(pulumi, "warn", warnings.append)
    hosting(engine, replace(base_declaration(), drills=()))
    deployed(engine, "kubernetes", HOSTED)
    assert [warning for warning in warnings if "drill" in warning]
