"""The blocks of docs/how-to/ about a root and a device's certificate do what the pages say, without an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.providers.pki import KINDS
from tests.flow.test_operate_doc import block

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.flow
DEVICE = "vn83-83-kiosk1"
ROOT = (("root_certificate", "pem"), ("root_key", "key"))
NOW = datetime.now(UTC)
STAND_IN = """#!/bin/sh
case "$*" in *caBundle*) cat safe/bundle.pem ;; *) cat safe/outputs.json ;; esac
"""
"""Prints a stack's outputs as Pulumi does."""


@pytest.fixture
def shell(require: Callable[[str], str], tmp_path: Path) -> Callable[[str], str]:
    """Return a function that runs a script in an empty project, with `motcua` of this environment on PATH."""
    for program in ("bash", "openssl"):
        require(program)
    (tmp_path / "infra/stacks").mkdir(parents=True)
    programs = f"{tmp_path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=tmp_path, env=kept | {"PATH": programs}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def deployed(folder: Path) -> None:
    """Do as `pulumi up` of stage prod with the root that the page made, as far as the authority goes."""
    dates = {"not_before": f"{NOW - timedelta(days=1):%F}", "not_after": f"{NOW + timedelta(days=500):%F}"}
    root = {name: (folder / f"safe/root.{end}").read_text() for name, end in ROOT}
    inputs = {"name": "Motcua vn83 prod", "stage": "prod", "generation": 1, **root, **dates}
    _, made = KINDS["authority"]().create(inputs)
    outputs = {"caCertificate": made["certificate"], "caChain": made["chain"], "caKey": made["key"]}
    (folder / "safe/outputs.json").write_text(json.dumps(outputs))
    (folder / "safe/bundle.pem").write_text(str(made["chain"]))
    (folder / "pulumi").write_text(STAND_IN)
    (folder / "pulumi").chmod(0o755)


@pytest.mark.parametrize("how", ["motcua", "openssl"])
def test_a_device_gets_a_certificate_under_the_provinces_own_root(
    shell: Callable[[str], str], tmp_path: Path, how: str
) -> None:
    shell(block("root"))
    assert (tmp_path / "infra/stacks/root.pem").read_bytes() == (tmp_path / "safe/root.pem").read_bytes()
    deployed(tmp_path)
    first, *rest = block("device").splitlines()
    shell("\n".join([first if how == "motcua" else block("openssl request"), *rest]))
    assert (tmp_path / f"{DEVICE}.key").stat().st_mode & 0o077 == 0
    told = shell("openssl verify -CAfile safe/root.pem -untrusted device.pem -purpose sslclient device.pem")
    assert told == "device.pem: OK\n"
    assert "BEGIN CERTIFICATE" in (tmp_path / "ca.pem").read_text()
    assert (tmp_path / "signed.csv").read_text().splitlines()[1].split(",")[1] == DEVICE
    assert shell(f"openssl pkey -in {DEVICE}.key -pubout") == shell("openssl x509 -in device.pem -noout -pubkey")
