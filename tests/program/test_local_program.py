"""The target `local` under mocks: names that must not change, parents, protection, secrets, faults before any call."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pytest

from infra.components import component
from infra.components.component import MotcuaComponent
from infra.config.options import parse_options
from infra.config.stack_file import load_options
from infra.plan import build_plan
from infra.policy.rules import is_loopback
from infra.targets.local.deploy import deploy_machine
from telemetry import inventory
from tests.program.pulumi_monitor import Recorded, Registered, run

if TYPE_CHECKING:
    from collections.abc import Mapping

GOLDEN = Path(__file__).with_name("local-urns.txt")
PLANTED = {
    "influxToken": "planted-operator-token", "nationalToken": "planted-national",
    "rootKey": "planted-root-key",
}  # fmt: skip
MADE = {
    "Authorization": {"token": "planted-role-token"},
    "Authority": {"key": "planted-authority-key", "certificate": "CERTIFICATE", "chain": "CHAIN", "root": "ROOT"},
    "Certificate": {"key": "planted-service-key", "certificate": "CERTIFICATE"},
    "RevocationList": {"crl": "CRL"},
}
ROOT = "-----BEGIN CERTIFICATE-----\nroot\n"


def answered(one: Registered) -> dict[str, object]:
    made: Mapping[str, object] = MADE.get(one.type.rpartition(":")[2], {})
    return {name: value for name, value in made.items() if name in one.inputs or name in {"token", "key"}} | dict(made)


def deployed(preview: bool = False, **values: object) -> Recorded:
    wanted = parse_options({"stage": "dev", "target": "local", **values}, "Pulumi.try.yaml")
    found = build_plan(inventory.load(inventory.default_path()), wanted, date(2026, 11, 23))

    def program() -> None:
        secrets = {name: pulumi.Output.secret(value) for name, value in PLANTED.items()}
        for name, value in deploy_machine(found, wanted, Path("/nowhere"), secrets).items():
            pulumi.export(name, value)

    return run(program, answered, preview=preview, stack="local")


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("broker", [{}, {"managed": False}])
def test_every_thing_has_a_parent_and_no_secret_is_open(preview: bool, broker: dict[str, object]) -> None:
    found = deployed(preview, broker=broker)
    named = {one.urn for one in found.resources}
    assert [
        one.name for one in found.resources if one.type != "motcua:platform:Province" and one.parent not in named
    ] == []
    planted = {
        **PLANTED,
        **{
            f"{kind}.{name}": value for kind, made in MADE.items() for name, value in made.items() if "planted" in value
        },
    }
    assert found.leaks(planted) == []
    if not preview:
        assert found.secret_exports >= {"caKey", "ingestToken", "rollupToken", "apiToken"}


def test_urns_are_those_that_stacks_have_in_their_state() -> None:
    """A changed URN is a deletion and a new thing. A rename needs an alias in `infra.components.component` first."""
    found = {one.urn for one in deployed().resources}
    assert sorted(found) == GOLDEN.read_text().splitlines()


def test_every_output_is_described() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/reference/stacks.md").read_text(encoding="utf-8")
    described = text.partition("## Outputs")[2]
    assert [name for name in deployed().exports if f"`{name}`" not in described] == []


def test_tokens_and_keys_are_secret_outputs() -> None:
    found = deployed()
    assert all(one.secret_outputs == {"token"} for one in found.of("pulumi-python:dynamic/motcua/influx:Authorization"))
    keys = found.of("pulumi-python:dynamic/motcua/pki:Certificate") + found.of(
        "pulumi-python:dynamic/motcua/pki:Authority"
    )
    assert all(one.secret_outputs == {"key"} for one in keys)


@pytest.mark.parametrize("stage", ["stage", "prod"])
def test_what_cannot_be_had_again_is_protected_outside_stage_dev(stage: str) -> None:
    found = deployed(stage=stage, pki={"rootCertificate": ROOT})
    guarded = {one.name for one in found.resources if one.protect}
    assert guarded == {
        "influxdb", "organisation", "bucket-raw", "bucket-5m", "bucket-1h", "bucket-1d", "bucket-ops", "authority-g1",
    }  # fmt: skip
    assert not any(one.protect for one in deployed().resources)


def test_a_root_of_the_province_signs_and_none_is_made() -> None:
    authority = deployed(stage="prod", pki={"rootCertificate": ROOT}).one("authority-g1")
    assert authority.inputs["root_certificate"] == ROOT
    assert "self_rooted" not in authority.inputs
    assert authority.covers("root_key")


def test_no_device_is_a_resource() -> None:
    assert not [one.name for one in deployed().resources if "kiosk" in one.name]


def test_roll_ups_go_upward_with_a_secret_token_and_bounded_queues() -> None:
    found = deployed(national={"url": "https://national.example", "orgId": "0123456789abcdef"})
    assert found.one("remote-national").covers("token")
    streams = found.of("pulumi-python:dynamic/motcua/influx:Replication")
    assert [one.inputs["bucket"] for one in streams] == ["motcua-5m", "motcua-1h", "motcua-1d"]
    assert all(
        one.inputs["max_queue_bytes"] == 2_000_000_000 and one.inputs["max_age_s"] == 30 * 86_400 for one in streams
    )
    assert all(found.one("remote-national").urn in one.depends_on for one in streams)


def test_tokens_overlap_while_they_are_rotated() -> None:
    found = deployed(tokens={"generation": 2, "previous": "inactive"})
    assert found.one("token-api-g2").inputs["active"] is True
    assert found.one("token-api-g1").inputs["active"] is False


def test_a_renamed_component_keeps_its_state_by_an_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hall(MotcuaComponent):
        type_key = "machine"

    monkeypatch.setitem(component.TYPE_ALIASES, "motcua:host:Machine", ("motcua:host:Computer",))
    found = run(lambda: Hall("hall", "dev"))
    assert any("|motcua:host:Computer|" in alias for alias in found.one("hall").aliases)


def test_no_file_is_written_before_the_server_has_proved_who_it_is() -> None:
    """Processes restart with their files: a wrong address or token must not reach them."""
    found = deployed()
    instance = found.one("influxdb")
    assert instance.inputs["url"] == "http://127.0.0.1:8086"
    assert instance.covers("token_digest")
    assert instance.inputs["token_digest"] != deployed_with_token("another").one("influxdb").inputs["token_digest"]
    for name in ("broker-files", "role-files"):
        assert instance.urn in found.one(name).depends_on, name


def deployed_with_token(token: str) -> Recorded:
    before = PLANTED["influxToken"]
    PLANTED["influxToken"] = token
    try:
        return deployed()
    finally:
        PLANTED["influxToken"] = before


def test_every_ingest_worker_serves_its_health_on_a_port_of_its_own() -> None:
    def addresses(**local: object) -> list[str]:
        files = deployed(workers=2, local=local).one("role-files").inputs["secret_files"]
        texts = (text for name, text in files.items() if name.startswith("ingest-"))
        return [line for text in texts for line in text.splitlines() if line.startswith("MOTCUA_INGEST_METRICS")]

    assert addresses() == ["MOTCUA_INGEST_METRICS=127.0.0.1:9101", "MOTCUA_INGEST_METRICS=127.0.0.1:9102"]
    assert addresses(ingestMetrics="[::1]:9200")[1] == "MOTCUA_INGEST_METRICS=[::1]:9201"
    assert addresses(ingestMetrics="") == []


def test_the_broker_of_the_shipped_trial_listens_on_the_loopback() -> None:
    shipped = load_options(Path(__file__).resolve().parents[2] / "infra/stacks/Pulumi.local.yaml")
    (listener,) = build_plan(inventory.load(inventory.default_path()), shipped, date(2026, 11, 23)).broker.listeners
    assert is_loopback(listener.bind)
