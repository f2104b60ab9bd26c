"""What runs in the pods: commands, settings and files that the roles and brokers take as they are given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import typer

from infra.plan.broker import INGEST_NAME_FORMAT
from motcua.cli.app import app
from telemetry import inventory
from telemetry.config import load_settings
from telemetry.core.protocol.topics import topic_filter
from telemetry.errors import ConfigError
from telemetry.ingest.stats import IngestStats
from telemetry.ingest.worker import ingest_link
from telemetry.inventory.files import bundle_files
from tests.carried import with_months
from tests.kubernetes import Stack, container, mounted, projected, sample_files, stack

if TYPE_CHECKING:
    from pathlib import Path

POD = "ingest-7d9c6b5f47-x2x4z"


@pytest.fixture(scope="module")
def one() -> Stack:
    return stack()


def role(one: Stack, name: str) -> dict[str, Any]:
    return container(one.one("Deployment", name)["spec"]["template"])


@pytest.mark.parametrize("name", ["ingest", "rollup", "api"])
def test_pods_call_commands_and_options_that_there_are(one: Stack, name: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    inside = role(one, name)
    assert inside["command"] == ["motcua"]
    word, *options = inside["args"]
    known = {option for parameter in commands[word].params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


@pytest.mark.parametrize("name", ["ingest", "rollup", "api"])
def test_the_roles_take_their_settings(one: Stack, name: str) -> None:
    told = {variable["name"]: variable.get("value", "from elsewhere") for variable in role(one, name)["env"]}
    found = load_settings(told)
    assert found.store == "influxdb+http://influxdb:8086?org=motcua&bucket=motcua&province=vn83"
    assert str(found.inventory) == "/inventory"
    assert found.alertmanager == ("http://alertmanager:9093" if name == "rollup" else "")
    if name != "api":
        assert (found.mqtt.host, found.mqtt.port, found.mqtt.tls) == ("broker-internal.motcua.svc", 8884, True)
        mounted = {mount["mountPath"] for mount in role(one, name)["volumeMounts"]}
        assert {os.path.dirname(path) for path in (found.mqtt.ca, found.mqtt.cert, found.mqtt.key)} <= mounted  # noqa: PTH120


def test_rollup_keeps_its_alarms_on_a_volume_of_its_own(one: Stack) -> None:
    told = {variable["name"]: variable.get("value", "") for variable in role(one, "rollup")["env"]}
    volumes = one.one("Deployment", "rollup")["spec"]["template"]["spec"]["volumes"]
    (kept,) = (volume["name"] for volume in volumes if "persistentVolumeClaim" in volume)
    (mount,) = (mount for mount in role(one, "rollup")["volumeMounts"] if mount["name"] == kept)
    assert told["MOTCUA_STATE"].startswith(f"{mount['mountPath']}/")
    assert not mount.get("readOnly")


def test_workers_are_named_by_their_pods_and_share(one: Stack) -> None:
    words = role(one, "ingest")["args"]
    assert "--shared" in words
    assert words[words.index("--name") + 1] == "$(POD_NAME)"
    assert {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in role(one, "ingest")["env"]
    where = load_settings({"MOTCUA_MQTT": "mqtts://localhost:1"}).mqtt

    class Desk:
        stats = IngestStats()

        def accept(self, message: object) -> None:
            """Take nothing."""

    link = ingest_link(where, POD, shared=True, ingest=Desk())  # type: ignore[arg-type] # never connected
    assert link._settings.client_id == INGEST_NAME_FORMAT.format(POD)
    assert link._settings.subscriptions == ((topic_filter("up", "ingest"), 1),)


def test_the_inventory_is_read_from_config_maps_and_again_when_they_change(one: Stack, tmp_path: Path) -> None:
    maps = projected(one, "rollup")
    assert maps == sample_files()
    mounted(tmp_path / "inventory", maps, "2026_06_01")
    assert inventory.load(tmp_path / "inventory").version == one.plan.inventory_version
    now = [0.0]
    world = inventory.ReloadingInventory(tmp_path / "inventory", clock=lambda: now[0])
    changed = {**maps, "province.toml": maps["province.toml"] + "\n# another day\n"}
    mounted(tmp_path / "inventory", changed, "2026_06_02")
    now[0] += 60
    assert world.current().version != one.plan.inventory_version


@pytest.mark.parametrize("name", ["ingest", "rollup", "api"])
def test_published_months_reach_the_pods_as_the_plan_counts_them(name: str, tmp_path: Path) -> None:
    folder = with_months(tmp_path / "declared", "2026-09", "2026-10")
    found = stack(world=inventory.load(folder), files=bundle_files(folder))
    assert list(found.one("ConfigMap", "inventory-published-2026-10-csv")["data"]) == ["2026-10.csv"]
    mounted(tmp_path / "inventory", projected(found, name), "2026_11_10")
    world = inventory.load(tmp_path / "inventory")
    assert {month for month, _, _ in world.published} == {"2026-09", "2026-10"}
    assert world.version == found.plan.inventory_version != stack().plan.inventory_version


def test_a_month_published_later_is_seen_by_running_pods(tmp_path: Path) -> None:
    first = with_months(tmp_path / "first")
    both = with_months(tmp_path / "both", "2026-10")
    mounted(tmp_path / "inventory", bundle_files(first), "2026_11_01")
    now = [0.0]
    world = inventory.ReloadingInventory(tmp_path / "inventory", clock=lambda: now[0])
    assert not world.current().published
    mounted(tmp_path / "inventory", bundle_files(both), "2026_11_10")
    now[0] += 60
    assert world.current().version == inventory.load(both).version


def test_a_month_that_no_config_map_holds_is_named_with_its_folder() -> None:
    large = {**sample_files(), "published/2026-10.csv": "x" * 1_048_576}
    with pytest.raises(ConfigError, match=r"published/2026-10\.csv.* 1048587 bytes.*inventory-published-2026-10-csv"):
        stack(files=large)


def test_pods_are_replaced_when_a_config_map_changes_that_they_read_at_their_start_only() -> None:
    """Roles load an edited inventory by themselves; everything else must be started again."""
    found = stack()
    read_at_start = {one["metadata"]["name"] for one in found.of("ConfigMap")} - {
        name for name in found.names("ConfigMap") if name.startswith("inventory-")
    }
    checked = set()
    for workload, pod in found.templates():
        sources = [
            source for volume in pod["spec"]["volumes"] for source in volume.get("projected", {}).get("sources", ())
        ]
        for name in {source["configMap"]["name"] for source in sources} & read_at_start:
            assert "motcua.org/configuration" in pod["metadata"].get("annotations", {}), (workload, name)
            checked.add(name)
    assert checked == read_at_start - {"prometheus-adapter-rule"}
