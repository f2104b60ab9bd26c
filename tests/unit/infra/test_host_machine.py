"""What one machine bears: many workers, a broker bound to one address, a disk that is away, old backups."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from infra.config.options import StackOptions
from infra.host import server_setup
from infra.host.bundle import render_bundle
from infra.host.systemd_units import HostLayout
from infra.plan import build_plan
from telemetry import inventory
from telemetry.config import parse_listen_address
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

UNITS = "server/etc/systemd/system"


def made(workers: int = 1, **broker: object) -> dict[str, str]:
    world = inventory.load(inventory.default_path())
    wanted = StackOptions.model_validate({"stage": "dev", "target": "local", "workers": workers, "broker": broker})
    layout = HostLayout(workers=tuple(str(number) for number in range(1, workers + 1)))
    return render_bundle(world, layout, stack_plan=build_plan(world, wanted, wanted.pki.epoch))


def started(files: dict[str, str], worker: str) -> str:
    """Return the command by which systemd starts a worker: a drop-in's last one wins."""
    unit = files[f"{UNITS}/motcua-ingest@.service"]
    unit += files.get(f"{UNITS}/motcua-ingest@{worker}.service.d/metrics.conf", "")
    *_, last = re.finditer(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    return last[1].replace("%i", worker)


def test_every_worker_shows_its_figures_where_prometheus_asks_for_them() -> None:
    files = made(workers=12)
    told = yaml.safe_load(files["server/etc/prometheus/motcua.yml"])
    asked = {job["job_name"]: job["static_configs"][0]["targets"] for job in told["scrape_configs"]}["motcua-ingest"]
    commands = [started(files, str(number)).split() for number in range(1, 13)]
    shown = [words[words.index("--metrics") + 1] for words in commands]
    assert shown == asked
    assert len({parse_listen_address(one) for one in shown}) == 12
    assert all("--shared" in words for words in commands)


@pytest.mark.parametrize(
    ("bind", "expected"),
    [("", [" 8883"]), ("10.0.0.5", [" 8883 127.0.0.1", " 8883 10.0.0.5"]), ("127.0.0.1", [" 8883 127.0.0.1"])],
)
def test_the_roles_reach_a_broker_that_is_bound_to_one_address(bind: str, expected: list[str]) -> None:
    text = made(bind=bind)["server/etc/motcua/broker/mosquitto.conf"]
    assert re.findall(r"^listener(.*)$", text, re.MULTILINE) == expected
    assert text.count("require_certificate true") == len(expected)


@pytest.mark.parametrize("port", [80, 443, 8080, 8086, 9090, 9093, 9101])
def test_a_broker_on_another_programs_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=rf"broker\.port.*{port}"):
        made(port=port)


def test_influxdb_does_not_start_beside_the_disk_that_holds_its_data() -> None:
    unit = made()[f"{UNITS}/influxdb.service.d/motcua.conf"]
    assert "\nRequiresMountsFor=/var/lib/influxdb\n" in unit[: unit.index("[Service]")]


def test_nightly_backups_do_not_fill_the_disk_and_no_other_is_touched(tmp_path: Path) -> None:
    for name in (*(f"202601{day:02}T023000" for day in range(1, 11)), "before-upgrade", "20260111T023000.part"):
        (tmp_path / name).mkdir()
    unit = server_setup.backup_files("# head")["etc/systemd/system/motcua-backup.service"]
    command = re.findall(r"^ExecStartPost=/bin/sh -c '(.+)'$", unit, re.MULTILINE)[0]
    subprocess.run(["/bin/sh", "-c", command.replace(server_setup.BACKUP_FOLDER, str(tmp_path))], check=True)
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left == [*(f"202601{day:02}T023000" for day in range(4, 11)), "20260111T023000.part", "before-upgrade"]
