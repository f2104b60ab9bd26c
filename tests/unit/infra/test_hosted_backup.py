"""The backup command of a machine of a hosted system: it calls the image's hook and notes what ended well."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from infra.plan.cloud import build_cloud_plan
from infra.targets.openstack.cloud.user_data import machine_user_data
from tests.cloud_examples import ONESTOP, TODAY, base_declaration

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The command as cloud-init would write it."""
    plan = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY)
    system = plan.system(ONESTOP)
    database = next(one for one in system.components if one.declared.id == "db")
    files = {one["path"]: one for one in yaml.safe_load(machine_user_data(plan, system, database))["write_files"]}
    written = files["/usr/local/sbin/motcua-hosted-backup"]
    assert written["permissions"] == "0755"
    assert "OnUnitInactiveSec=86400s" in files["/etc/systemd/system/motcua-hosted-backup.timer"]["content"]
    path = tmp_path / "motcua-hosted-backup"
    path.write_text(written["content"])
    return path


def run(script: Path, hook: str) -> tuple[int, str, str]:
    """Run it with a hook of that content; returns its code, its errors and the report, empty when there is none."""
    folder = script.parent
    if hook:
        (folder / "hook").write_text(f"#!/bin/sh\n{hook}\n")
        (folder / "hook").chmod(0o755)
    report = folder / "reports" / "backup.prom"
    names = {"MOTCUA_HOSTED_BACKUP_HOOK": str(folder / "hook"), "MOTCUA_HOSTED_BACKUP_REPORT": str(report)}
    ended = subprocess.run(["sh", script], env={**os.environ, **names}, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr, report.read_text() if report.exists() else ""


def test_the_hook_is_called_with_component_and_store_and_its_success_is_noted(script: Path) -> None:
    code, errors, report = run(script, f'printf "%s %s" "$1" "$2" >{script.parent}/arguments')
    assert (code, errors) == (0, "")
    assert (script.parent / "arguments").read_text() == "vn83-onestop/db 10.84.0.30"
    line = report.splitlines()[-1]
    assert line.startswith('motcua_hosted_backup_last_success_seconds{system="vn83-onestop",component="db"} 1')


def test_a_backup_that_fails_is_not_noted_as_a_success(script: Path) -> None:
    code, _, report = run(script, "exit 3")
    assert code == 3
    assert report == ""


def test_an_image_without_its_hook_is_named(script: Path) -> None:
    code, errors, report = run(script, "")
    assert code == 1
    assert "the image must bring its backup" in errors
    assert report == ""
