"""The OpenStack target: what the program registers, and the machine's user data."""

from __future__ import annotations

import base64
import email
import gzip
import ipaddress
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml

from dashboards.files import provisioned_files
from infra.config.options import StackOptions
from infra.plan import build_plan
from infra.targets.openstack import document
from telemetry import inventory
from telemetry.errors import ConfigError
from telemetry.inventory.files import bundle_files
from tests.carried import with_months, written
from tests.program.pulumi_monitor import Recorded, Registered, run

if TYPE_CHECKING:
    from pathlib import Path

    from infra.plan import StackPlan

# The vendor's package warns about its own old names when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:openstack:DeprecationWarning")
DAY = date(2026, 3, 1)
WORLD = inventory.load(inventory.default_path())
SOURCES = {"deviceSources": ["10.20.0.0/16", "10.21.0.0/16"], "apiSources": ["10.0.0.0/8"], "zone": "az-1"}


def wanted(**cloud: object) -> StackOptions:
    prod = {"stage": "prod", "target": "openstack", "broker": {"host": "mqtt.example"}}
    return StackOptions.model_validate({**prod, "openstack": {**SOURCES, "region": "ben-tre", **cloud}})


def planned(options: StackOptions) -> StackPlan:
    return build_plan(WORLD, options, DAY, provisioned_files(WORLD))


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for what a cloud answers when it is asked for a network or an image by name."""

    from pulumi_openstack import images, networking

    def answer(**told: Any) -> pulumi.Output[SimpleNamespace]:  # noqa: ANN401 - whatever is asked
        assert told["region"] == "ben-tre"
        return pulumi.Output.from_input(f"id-of-{told['name']}").apply(lambda ident: SimpleNamespace(id=ident))

    monkeypatch.setattr(networking, "get_network_output", answer)
    monkeypatch.setattr(images, "get_image_output", answer)


def computed(_: Registered) -> dict[str, Any]:
    return {"vipPortId": "vip", "address": "203.0.113.7"}


def made(options: StackOptions, *, preview: bool = False) -> Recorded:
    from infra.targets.openstack.deploy import deploy_cloud

    def program() -> None:
        for name, value in deploy_cloud(planned(options), options, WORLD, {}).items():
            pulumi.export(name, value)

    return run(program, computed, preview=preview)


@pytest.mark.parametrize("preview", [True, False])
def test_everything_is_a_child_in_the_region_and_every_reference_holds(preview: bool) -> None:
    found = made(wanted(), preview=preview)
    component = found.one("cloud", "motcua:openstack:Cloud")
    for one in found.children(component.urn):
        assert one.inputs["region"] == "ben-tre", one.name
    assert len(found.children(component.urn)) == len(found.resources) - 1
    ports = {
        one.inputs["protocolPort"]: one.inputs["allowedCidrs"]
        for one in found.of("openstack:loadbalancer/listener:Listener")
    }
    assert ports == {8883: ["10.20.0.0/16", "10.21.0.0/16"], 443: ["10.0.0.0/8"]}
    assert {one.inputs["protocol"] for one in found.of("openstack:loadbalancer/listener:Listener")} == {"TCP"}
    if not preview:
        machine = found.one("machine").inputs
        assert machine["networks"] == [{"port": "port-id"}]
        assert [one["uuid"] for one in machine["blockDevices"]] == ["id-of-debian-12", "store-id"]
        assert machine["blockDevices"][1]["deleteOnTermination"] is False
        assert found.one("address").inputs["portId"] == "vip"
        assert found.exports["brokerAddress"] == "mqtts://mqtt.example:8883"
        assert found.exports["apiUrl"] == "https://203.0.113.7/"


def test_zone_and_labels_are_on_what_lies_somewhere() -> None:
    found = made(wanted())
    for name in ("machine", "store"):
        one = found.one(name).inputs
        assert one["availabilityZone"] == "az-1"
        assert one["metadata"]["motcua.org:province"] == "vn83"
    tagged = ("network", "subnet", "router", "group", "port", "balancer", "listener-broker", "address")
    for name in tagged:
        assert "motcua.org:stage=prod" in found.one(name).inputs["tags"]


@pytest.mark.parametrize(("stage", "kept"), [("prod", {"store", "machine"}), ("dev", set())])
def test_data_and_secrets_are_protected_in_prod(stage: str, kept: set[str]) -> None:
    options = wanted().model_copy(update={"stage": stage})
    found = made(options)
    assert {one.name for one in found.resources if one.protect} == kept


def test_an_edit_of_the_inventory_does_not_replace_the_machine() -> None:
    assert set(made(wanted()).one("machine").ignored) == {"userData", "imageId", "blockDevices"}


def opened(found: Recorded) -> set[tuple[str, int, str]]:
    rules = [one.inputs for one in found.of("openstack:networking/secGroupRule:SecGroupRule")]
    doors = [one.inputs for one in found.of("openstack:loadbalancer/listener:Listener")]
    return {("machine", int(one["portRangeMin"]), one["remoteIpPrefix"]) for one in rules} | {
        ("balancer", int(one["protocolPort"]), source) for one in doors for source in one["allowedCidrs"]
    }


def test_nothing_is_open_but_what_the_options_say() -> None:
    inside = {("machine", 8883, "10.83.0.0/24"), ("balancer", 8883, "10.20.0.0/16"), ("balancer", 8883, "10.21.0.0/16")}
    assert opened(made(wanted(apiSources=[]))) == inside
    both = inside | {("machine", 443, "10.83.0.0/24"), ("balancer", 443, "10.0.0.0/8")}
    assert opened(made(wanted())) == both
    admin = made(wanted(adminSources=["10.9.9.0/24"]))
    assert opened(admin) == both | {("machine", 22, "10.9.9.0/24")}
    assert admin.one("admin-address").inputs["portId"] == "port-id"
    assert not any(ipaddress.ip_network(source).prefixlen == 0 for _, _, source in opened(admin))


def test_the_machine_listens_where_the_plan_says() -> None:
    options = wanted().model_copy(update={"broker": wanted().broker.model_copy(update={"port": 8884})})
    assert {port for _, port, _ in opened(made(options))} == {8884, 443}


def test_user_data_fits_with_the_sample_inventory_and_leaves_out_one_that_does_not() -> None:
    options = wanted()
    text = document.user_data(planned(options), options, WORLD, bundle_files(inventory.default_path()))
    assert len(base64.b64encode(document.pack_user_data(text).encode())) <= document.LIMIT
    assert set(inventory_in(text)) == set(bundle_files(inventory.default_path()))
    assert document.inventory_warning(text, WORLD.version) == ""


def inventory_in(text: str) -> dict[str, str]:
    """Return the inventory that cloud-init would write, path in it → text."""
    files = yaml.safe_load(text)["write_files"]
    folder = "/etc/motcua/inventory/"
    return {one["path"].removeprefix(folder): one["content"] for one in files if one["path"].startswith(folder)}


def test_the_machine_gets_its_user_data_as_one_compressed_part() -> None:
    given = str(made(wanted()).one("machine").inputs["userData"])
    message = email.message_from_string(given)
    assert message.get_content_type() == "application/gzip"
    part = message.get_payload(decode=True)
    assert isinstance(part, bytes)
    assert gzip.decompress(part).decode() == document.user_data(planned(wanted()), wanted(), WORLD)
    assert given.isascii()


def test_the_machine_has_the_inventory_of_the_plan_with_its_published_months(tmp_path: Path) -> None:
    options = wanted()
    folder = with_months(tmp_path / "declared", "2026-10")
    world = inventory.load(folder)
    found = build_plan(world, options, DAY, provisioned_files(world))
    text = document.user_data(found, options, world, bundle_files(folder))
    there = inventory.load(written(tmp_path / "machine", inventory_in(text)))
    assert [key[0] for key in there.published] == ["2026-10"]
    assert there.version == found.inventory_version != WORLD.version


def test_an_inventory_that_does_not_fit_is_left_out_whole_and_said_so() -> None:
    options, files = wanted(), bundle_files(inventory.default_path())
    month = "".join(f"centre:c{n},,{n * 2654435761 % 2**32},{n * 7919 % 104729},0,0,0,0,0\n" for n in range(9_000))
    for many in ({**files, "published/2026-10.csv": month}, {**files, "devices.csv": month}):
        text = document.user_data(planned(options), options, WORLD, many)
        assert inventory_in(text) == {}
        told = document.inventory_warning(text, WORLD.version)
        assert f"inventory {WORLD.version} does not fit" in told
        assert "bring the whole folder, with published/, to /etc/motcua/inventory" in told


def test_user_data_that_does_not_fit_names_size_and_limit() -> None:
    options = wanted()
    noise = "".join(f"# {n * 2654435761 % 2**32:08x}\n" for n in range(20_000))
    large = build_plan(WORLD, options, DAY, {"rules/large.yaml": noise})
    with pytest.raises(ConfigError, match=r"cloud-init\.yaml.*is \d+ bytes in base64, and Nova accepts 65535"):
        document.user_data(large, options, WORLD)


@pytest.mark.parametrize("cidr", ["10.83.0.0/27", "fd00::/64"])
def test_a_network_that_is_too_small_is_refused(cidr: str) -> None:
    options = wanted(cidr=cidr)
    with pytest.raises(ConfigError, match=r"openstack\.cidr"):
        made(options)
