"""The host bundle: complete, marked, loadable by the real tools, and hardened as promised."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import typer
import yaml
from hypothesis import given, strategies as st
from jinja2 import UndefinedError
from typer.testing import CliRunner

import infra.templates
from dashboards.files import provisioned_files
from edge_agent import config as agent_config
from infra.config.options import StackOptions
from infra.host import mosquitto, server_setup
from infra.host.bundle import CLOUD_INIT_FILE, EXECUTABLE_FILES, HEADER_PREFIX, render_bundle
from infra.host.grafana import DASHBOARDS_FOLDER
from infra.host.systemd_units import HostLayout
from infra.plan import build_plan
from infra.templates import render_template, render_yaml
from motcua.cli.app import app
from telemetry import inventory
from telemetry.config import load_settings
from telemetry.core.protocol.topics import Topic, TopicChannel, topic_filter
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from telemetry.core.inventory import Inventory

UNITS = "etc/systemd/system"
BROKER = "mqtts://mqtt.example:8883"
EXPOSURE = 3.0
ROLES = {
    "motcua-ingest@.service": "server",
    "motcua-rollup.service": "server",
    "motcua-api.service": "server",
    "motcua-agent.service": "device",
}

PACKAGED = (
    "mosquitto.service", "influxdb.service", "nginx.service", "prometheus.service", "prometheus-alertmanager.service",
)  # fmt: skip
"""Units that Debian's packages bring and that ours add to."""
INSTALLED = re.compile(r"/usr/s?bin/(mosquitto|nginx|prometheus-alertmanager|prometheus)\b")


@pytest.fixture(scope="module")
def world() -> Inventory:
    return inventory.load(inventory.default_path())


@pytest.fixture(scope="module")
def files(world: Inventory) -> dict[str, str]:
    return render_bundle(world, HostLayout(sys.executable, ("1", "2")), BROKER)


@pytest.fixture
def units(files: dict[str, str], tmp_path: Path) -> Path:
    """A folder with all units; those of Debian's packages as far as drop-ins need them."""
    for path, text in files.items():
        kept = Path(*Path(path).parts[1:])
        if kept.is_relative_to(UNITS):
            target = tmp_path / kept.relative_to(UNITS)
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
    for name in PACKAGED:
        (tmp_path / name).write_text("[Unit]\nDescription=a package's\n[Service]\nExecStart=/bin/true\n")
    return tmp_path


def ask(units: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=units, env=env)


def test_every_file_begins_with_who_wrote_it_and_from_what(files: dict[str, str], world: Inventory) -> None:
    for path, text in files.items():
        if path.endswith(".json"):
            assert json.loads(text)["description"].endswith(f" {HEADER_PREFIX}{world.version}."), path
            assert HEADER_PREFIX in text[:400], path
            continue
        first = text.splitlines()[1 if text.startswith(("#!", "#cloud-config")) else 0]
        # An edit of the inventory changes the files of the devices that it concerns, and no others.
        source = "" if path.startswith("devices/") else f" from inventory {world.version}"
        assert first == f"# Written by `motcua render --target host`{source}.", path


def test_a_grafana_of_the_operator_gets_the_stacks_own_dashboards(files: dict[str, str], world: Inventory) -> None:
    boards = {
        Path(path).name: json.loads(text) for path, text in files.items() if path.startswith("grafana/dashboards")
    }
    own = {Path(path).name: json.loads(text) for path, text in provisioned_files(world).items() if "grafana/" in path}
    assert {name: board["panels"] for name, board in boards.items()} == {
        name: board["panels"] for name, board in own.items()
    }
    sections = {panel["title"] for panel in boards["objectives.json"]["panels"] if panel["type"] == "row"}
    assert {objective.name_en for objective in world.objectives} <= sections
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/motcua.yaml"])["providers"]
    assert provider["options"]["path"] == DASHBOARDS_FOLDER
    sources = yaml.safe_load(files["grafana/provisioning/datasources/motcua.yaml"])["datasources"]
    prometheus, influxdb = (source["url"].removeprefix("http://") for source in sources)
    assert prometheus in files["server/etc/systemd/system/prometheus.service.d/motcua.conf"]
    assert influxdb in files["server/etc/systemd/system/influxdb.service.d/motcua.conf"]
    store = sources[1]["jsonData"]
    assert f"org={store['organization']}&bucket={store['defaultBucket']}" in files["server/etc/motcua/motcua.env"]
    kinds = {v["query"] for b in boards.values() for v in b["templating"]["list"] if v["type"] == "datasource"}
    assert kinds == {source["type"] for source in sources}


def test_the_same_inventory_gives_the_same_files(files: dict[str, str]) -> None:
    again = render_bundle(inventory.load(inventory.default_path()), HostLayout(sys.executable, ("1", "2")), BROKER)
    assert again == files


@pytest.mark.parametrize("unit", ROLES)
def test_units_are_clean_for_systemd(units: Path, require: Callable[[str], str], unit: str) -> None:
    name = unit.replace("@.", "@1.")
    checked = ask(units, require("systemd-analyze"), "verify", "--man=no", name)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["motcua.target", "motcua-backup.timer", *PACKAGED])
def test_other_units_and_drop_ins_are_clean_for_systemd(units: Path, require: Callable[[str], str], unit: str) -> None:
    backup = units / "motcua-backup.service"
    backup.write_text(backup.read_text().replace("/usr/local/sbin", str(units)))
    for drop_in in units.glob("*.service.d/motcua.conf"):
        drop_in.write_text(INSTALLED.sub("/bin/true", drop_in.read_text()))
    checked = ask(units, require("systemd-analyze"), "verify", "--man=no", unit)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("unit", "printer"), [*((unit, False) for unit in ROLES), ("motcua-agent.service", True)])
def test_units_are_hardened(units: Path, require: Callable[[str], str], unit: str, printer: bool) -> None:
    if printer:
        folder = units / f"{unit}.d"
        shutil.copy(folder / "printer.conf.example", folder / "printer.conf")
    name = unit.replace("@.", "@1.")
    told = ask(units, require("systemd-analyze"), "security", "--offline=true", "--no-pager", name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)
    assert found is not None, told.stderr
    assert float(found[1]) <= EXPOSURE


def test_the_agents_unit_waits_for_its_word_and_watches_it(files: dict[str, str]) -> None:
    unit = files[f"device/{UNITS}/motcua-agent.service"]
    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=120", "Restart=always", "StartLimitIntervalSec=0"):
        assert f"\n{line}\n" in unit


def test_units_call_commands_and_options_that_there_are(files: dict[str, str]) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for unit, side in ROLES.items():
        line = re.search(r"^ExecStart=(.*)$", files[f"{side}/{UNITS}/{unit}"], re.MULTILINE)
        assert line is not None
        _, role, *words = line[1].split()
        options = {name for parameter in commands[role].params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_two_workers_share_and_one_does_not(world: Inventory) -> None:
    one = render_bundle(world, HostLayout())[f"server/{UNITS}/motcua-ingest@.service"]
    two = render_bundle(world, HostLayout(workers=("1", "2")))[f"server/{UNITS}/motcua-ingest@.service"]
    assert "ingest --name %i --metrics 127.0.0.1:910%i\n" in one
    assert "ingest --name %i --metrics 127.0.0.1:910%i --shared\n" in two


def test_the_settings_file_is_one_that_the_roles_take(files: dict[str, str]) -> None:
    lines = [line for line in files["server/etc/motcua/motcua.env"].splitlines() if not line.startswith("#")]
    found = load_settings(dict(line.split("=", 1) for line in lines))
    assert found.mqtt.tls
    assert found.mqtt.port == mosquitto.DEFAULT_PORT
    assert found.store.startswith("influxdb+http://127.0.0.1:8086")


def test_every_declared_device_gets_an_agent_toml_that_the_agent_takes(
    files: dict[str, str], world: Inventory, tmp_path: Path
) -> None:
    declared = {device.id for device in world.devices.values() if device.kind != "replay"}
    written = {Path(path).stem: text for path, text in files.items() if path.startswith("devices/")}
    assert set(written) == declared
    path = tmp_path / "agent.toml"
    path.write_text(written["vn83-83-kiosk1"])
    told = agent_config.load(path)
    assert (told.device, told.mqtt) == ("vn83-83-kiosk1", BROKER)
    assert told.tls == ("tls/ca.pem", "tls/device.pem", "tls/device.key")
    assert tomllib.loads(path.read_text())["outbox"] == "/var/lib/motcua/outbox.db"


def test_the_broker_takes_no_one_without_a_certificate(files: dict[str, str]) -> None:
    lines = files["server/etc/motcua/broker/mosquitto.conf"].splitlines()
    assert [line for line in lines if line.startswith("listener")] == [f"listener {mosquitto.DEFAULT_PORT}"]
    for line in (
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        "tls_version tlsv1.2",
        "per_listener_settings false",
        "persistence true",
    ):
        assert line in lines


def test_a_broker_without_tls_is_for_this_machine_only() -> None:
    assert "listener 1883 127.0.0.1\n" in mosquitto.render_loopback_configuration(
        mosquitto.MosquittoSettings("/kept", port=1883)
    )


def test_a_large_fleet_gets_connections_and_files_enough(world: Inventory) -> None:
    from dataclasses import replace

    device = next(iter(world.devices.values()))
    many = {f"vn83-83-kiosk{n}": replace(device, id=f"vn83-83-kiosk{n}") for n in range(10_000)}
    made = render_bundle(replace(world, devices=many), HostLayout())
    limit = re.search(r"^max_connections (\d+)$", made["server/etc/motcua/broker/mosquitto.conf"], re.MULTILINE)
    files = re.search(r"^LimitNOFILE=(\d+)$", made[f"server/{UNITS}/mosquitto.service.d/motcua.conf"], re.MULTILINE)
    assert limit is not None
    assert files is not None
    assert 20_000 < int(limit[1]) < int(files[1])


def test_a_plan_decides_buckets_port_and_what_is_asked(world: Inventory) -> None:
    wanted = StackOptions.model_validate(
        {"stage": "dev", "target": "local", "influx": {"bucket": "tram", "rawDays": 40}, "broker": {"port": 8884}}
    )
    made = render_bundle(
        world, HostLayout(), stack_plan=build_plan(world, wanted, wanted.pki.epoch, {"rules/own.yaml": "groups: []\n"})
    )
    assert "bucket=tram&province=vn83\n" in made["server/etc/motcua/motcua.env"]
    assert "mqtts://localhost:8884\n" in made["server/etc/motcua/motcua.env"]
    assert "\nlistener 8884\n" in made["server/etc/motcua/broker/mosquitto.conf"]
    assert f'"everySeconds":{40 * 86_400},' in made[f"server/{server_setup.INFLUX_COMMAND}"]
    assert made["server/etc/prometheus/rules/own.yaml"].endswith("groups: []\n")
    assert "server/etc/prometheus/rules/motcua.yaml" not in made


def test_prometheus_asks_every_worker(files: dict[str, str]) -> None:
    told = yaml.safe_load(files["server/etc/prometheus/motcua.yml"])
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in told["scrape_configs"]}
    assert jobs["motcua-ingest"] == ["127.0.0.1:9101", "127.0.0.1:9102"]
    assert jobs["motcua-api"] == ["127.0.0.1:8080"]
    assert told["rule_files"] == ["/etc/prometheus/rules/*.yaml"]


def test_cloud_init_carries_the_servers_files_and_no_others(files: dict[str, str]) -> None:
    told = yaml.safe_load(files[CLOUD_INIT_FILE])
    carried = {f"server{one['path']}": one["content"] for one in told["write_files"]}
    assert carried == {path: text for path, text in files.items() if path.startswith("server/")}
    programs = {f"server{one['path']}" for one in told["write_files"] if one["permissions"] == "0755"}
    assert programs == set(EXECUTABLE_FILES)


texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("a \n\t:#-'\"|", max_size=8)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=3))
def test_written_yaml_is_read_back_as_it_was(told: dict[str, object]) -> None:
    assert (yaml.safe_load(render_yaml(told)) or {}) == told


def test_a_template_that_lacks_one_of_its_values_is_a_fault() -> None:
    with pytest.raises(UndefinedError, match="port"):
        render_template("motcua.env.j2", etc="/etc/motcua", store="sqlite:///x")


def test_every_template_is_rendered_by_some_module_or_included_by_another() -> None:
    folder = Path(infra.templates.__path__[0])
    source = "".join(path.read_text() for path in (*folder.parent.rglob("*.py"), *folder.glob("*.j2")))
    names = [path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"]
    assert len(names) >= 18
    assert [name for name in names if f'"{name}"' not in source] == []


def test_access_rules_grant_a_service_only_its_own_topics() -> None:
    rules = mosquitto.render_acl_file(("1", "2"))
    users = dict(re.findall(r"^user (\S+)\n((?:topic .*\n)+)", rules, re.MULTILINE))
    ingest = f"topic read {topic_filter('up')}\ntopic write {topic_filter('receipt')}\n"
    assert users["motcua-ingest-1"] == users["motcua-ingest-2"] == ingest
    assert users["motcua-rollup"] == f"topic read {topic_filter('state')}\n"
    assert len(users) == 5


def test_access_rules_substitute_a_devices_name_in_its_topics_only() -> None:
    patterns = re.findall(r"^pattern (\w+) (\S+)$", mosquitto.render_acl_file(), re.MULTILINE)
    topic = Topic("c", "d", "up")
    known = {channel: topic.with_channel(channel).path for channel in get_args(TopicChannel)}
    made = {(how, path.replace("/+/%u/", "/c/d/")) for how, path in patterns}
    written = {path for how, path in made if how == "write"}
    assert written == {known["up"], known["state"]}
    assert {path for how, path in made if how == "read"} == set(known.values()) - {known["up"]}


def test_influxd_knows_the_settings_we_give_it(influxd_program: str) -> None:
    env = {**os.environ, **{name: value for name, (value, _) in server_setup.INFLUXD_SETTINGS.items()}}
    told = subprocess.run([influxd_program, "print-config"], capture_output=True, text=True, check=True, env=env)
    shown = dict(line.split(": ", 1) for line in told.stdout.splitlines() if ": " in line)
    for name, (value, _) in server_setup.INFLUXD_SETTINGS.items():
        key = name.removeprefix("INFLUXD_").lower().replace("_", "-")
        assert shown[key].strip('"') == value


def render(out: Path, *words: str) -> Result:
    """Run the command in this process; naming the inventory keeps it from setting up logging for all tests."""
    told = ["render", "--target", "host", "--out", str(out), "--inventory", str(inventory.default_path()), *words]
    return CliRunner().invoke(app, told, standalone_mode=False)


def test_render_writes_and_replaces_its_own_files(tmp_path: Path) -> None:
    assert render(tmp_path).exit_code == 0
    unit = tmp_path / f"server/{UNITS}/motcua-ingest@.service"
    assert "--shared" not in unit.read_text()
    assert render(tmp_path, "--workers", "2").exit_code == 0
    assert "--shared" in unit.read_text()
    assert os.access(tmp_path / EXECUTABLE_FILES[0], os.X_OK)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--broker", "mqtt://plain.example"), "--broker"),
        (("--broker", "nonsense"), "--broker"),
        (("--inventory", "/nowhere"), "/nowhere"),
    ],
)
def test_render_names_wrong_words(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    answer = render(tmp_path, *words)
    assert named in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


def test_render_leaves_files_alone_that_it_did_not_write(tmp_path: Path) -> None:
    own = [tmp_path / "server/etc/motcua/motcua.env", tmp_path / "server/etc/motcua/broker/acl"]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine\n")
    answer = render(tmp_path)
    assert isinstance(answer.exception, ConfigError)
    assert {fault.file for fault in answer.exception.faults} == {str(path) for path in own}
    assert all("give another folder" in fault.remedy for fault in answer.exception.faults)
    assert [path.read_text() for path in own] == ["mine\n", "mine\n"]
    assert not (tmp_path / "device").exists()
