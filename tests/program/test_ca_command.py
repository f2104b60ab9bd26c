"""`motcua ca` and `motcua rotation` as people run them, with requests that the real openssl made."""

from __future__ import annotations

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from infra.providers.pki import KINDS, pem, signing
from telemetry.inventory import default_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEVICE = "vn83-83-kiosk1"
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Desk:
    """A folder in which somebody signs: the authority's files, and the programs."""

    folder: Path
    openssl: str
    authority: dict[str, str]

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `motcua` here."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        return subprocess.run(
            [sys.executable, "-m", "motcua", *words], capture_output=True, text=True, timeout=60, check=False,
            cwd=self.folder, env=kept | environment,
        )  # fmt: skip

    def sign(self, file: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Sign a request with the authority's files."""
        return self.run(*f"ca sign --csr {file} --ca-cert chain.pem --ca-key ca.key".split(), *words, **environment)

    def ask(self, name: str) -> str:
        """Have openssl make a key and a request."""
        words = f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr".split()
        done = subprocess.run([self.openssl, *words, "-subj", f"/O=Somebody/CN={name}"],
                              cwd=self.folder, capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return f"{name}.csr"

    def verifies(self, file: str, *words: str) -> str:
        """Return what openssl says about a certificate, of which a device presents the chain."""
        given = f"verify -CAfile root.pem -untrusted {file} -purpose sslclient {file}".split()
        done = subprocess.run([self.openssl, *given, *words],
                              cwd=self.folder, capture_output=True, text=True, check=False)  # fmt: skip
        return done.stdout + done.stderr

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def desk(require: Callable[[str], str], tmp_path: Path) -> Desk:
    dates = {"not_before": f"{NOW - timedelta(days=1):%F}", "not_after": f"{NOW + timedelta(days=500):%F}"}
    inputs = {"name": "Motcua vn83 dev", "stage": "dev", "generation": 1, "self_rooted": True, **dates}
    made = {name: str(value) for name, value in KINDS["authority"]().create(inputs)[1].items()}
    for file, name in (("chain.pem", "chain"), ("ca.key", "key"), ("root.pem", "root")):
        (tmp_path / file).write_text(made[name])
    return Desk(tmp_path, require("openssl"), made)


def test_a_devices_request_is_signed_and_entered(desk: Desk) -> None:
    done = desk.sign(desk.ask(DEVICE), "--out", "out/device.pem", "--ledger", "signed.csv", "--days", "90")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    leaf, above = pem.parse_certificates(desk.text("out/device.pem"))
    assert above == pem.parse_certificates(desk.authority["certificate"])[0]
    assert leaf.subject == signing.subject_name(DEVICE), "the rest of the subject is not taken over"
    assert desk.verifies("out/device.pem") == "out/device.pem: OK\n"
    serial = pem.serial_to_hex(leaf.serial_number)
    ends = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
    assert ends == f"{NOW + timedelta(days=90):%Y-%m-%d}"
    assert done.stderr == f"{DEVICE}: serial {serial}, not after {ends}\n"
    (row,) = csv.DictReader(desk.text("signed.csv").splitlines())
    assert (row["serial"], row["name"], row["not_after"][:10]) == (serial, DEVICE, ends)


def test_a_ledger_is_only_added_to(desk: Desk) -> None:
    file = desk.ask(DEVICE)
    first, second = (desk.sign(file, "--ledger", "signed.csv") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert [one.stdout.count("BEGIN CERTIFICATE") for one in (first, second)] == [2, 2]
    rows = list(csv.DictReader(desk.text("signed.csv").splitlines()))
    assert len({row["serial"] for row in rows}) == 2
    (desk.folder / "notes.csv").write_text("my notes\n")
    refused = desk.sign(file, "--ledger", "notes.csv")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert desk.text("notes.csv") == "my notes\n"


def test_a_file_that_is_there_is_not_overwritten(desk: Desk) -> None:
    (desk.folder / "device.pem").write_text("precious")
    done = desk.sign(desk.ask(DEVICE), "--out", "device.pem", "--ledger", "signed.csv")
    assert done.returncode == 2
    assert "device.pem: --out: exists" in done.stderr
    assert desk.text("device.pem") == "precious"
    assert not (desk.folder / "signed.csv").exists()


def test_a_private_key_is_refused_and_not_shown(desk: Desk) -> None:
    desk.ask(DEVICE)
    done = desk.sign(f"{DEVICE}.key")
    assert done.returncode == 2
    assert "a key never leaves its device" in done.stderr
    assert desk.text(f"{DEVICE}.key").splitlines()[1] not in done.stderr


@pytest.mark.parametrize("name", ["vn83-83-kiosk99", "motcua-rollup", "#"])
def test_a_name_that_is_no_declared_device_is_refused(desk: Desk, name: str) -> None:
    done = desk.sign(desk.ask(name))
    assert done.returncode == 2
    assert repr(name) in done.stderr
    assert "BEGIN" not in done.stdout


def test_the_inventory_decides_who_is_a_device(desk: Desk) -> None:
    shutil.copytree(default_path(), desk.folder / "world")
    devices = desk.folder / "world" / "devices.csv"
    lines = devices.read_text().splitlines(keepends=True)
    devices.write_text("".join(line for line in lines if not line.startswith(f"{DEVICE},")))
    done = desk.sign(desk.ask(DEVICE), "--inventory", "world")
    assert done.returncode == 2
    assert "devices.csv" in done.stderr
    assert desk.sign(f"{DEVICE}.csr").returncode == 0


def test_a_service_is_signed_when_asked_for(desk: Desk) -> None:
    assert desk.sign(desk.ask("motcua-provision"), "--service", "--out", "one.pem").returncode == 0
    assert desk.verifies("one.pem") == "one.pem: OK\n"
    assert desk.sign(desk.ask(DEVICE), "--service").returncode == 2


def test_a_server_is_signed_for_the_hosts_that_are_named_and_no_others(desk: Desk) -> None:
    file = desk.ask("server")
    done = desk.sign(file, "--use", "server", "--host", "mqtt.example", "--host", "10.83.0.5", "--out", "server.pem")
    assert done.returncode == 0, done.stderr
    made = pem.parse_certificates(desk.text("server.pem"))[0]
    hosts = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == ["mqtt.example"]
    assert [str(one) for one in hosts.get_values_for_type(x509.IPAddress)] == ["10.83.0.5"]
    use = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(use) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("server", ["--use", "server"], "add --host"),
        (DEVICE, ["--use", "server", "--host", "mqtt.example"], "no server's name"),
        ("server", ["--use", "server", "--host", "10.0.0"], "neither a DNS name nor an IP address"),
        (DEVICE, ["--host", "mqtt.example"], "add --use server"),
    ],
)
def test_a_server_without_hosts_or_under_a_devices_name_is_refused(
    desk: Desk, name: str, words: list[str], said: str
) -> None:
    done = desk.sign(desk.ask(name), *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_longer_than_the_authority_is_refused_with_the_most(desk: Desk) -> None:
    done = desk.sign(desk.ask(DEVICE), "--days", "800")
    assert done.returncode == 2
    assert "ask for --days 499 at most" in done.stderr or "ask for --days 500 at most" in done.stderr


def test_the_authority_comes_from_the_environment_too(desk: Desk) -> None:
    file = desk.ask(DEVICE)
    told = {"MOTCUA_CA_CERT": "chain.pem", "MOTCUA_CA_KEY": "ca.key"}
    assert desk.run("ca", "sign", "--csr", file, **told).stdout.count("BEGIN CERTIFICATE") == 2
    without = desk.run("ca", "sign", "--csr", file)
    assert without.returncode == 2
    assert "MOTCUA_CA_CERT" in without.stderr
    both = desk.sign(file, "--stack", "dev")
    assert both.returncode == 2
    assert "--stack" in both.stderr


def test_what_pulumi_says_wrongly_is_named_without_its_secrets(desk: Desk) -> None:
    """A stand-in for the engine, for answers that the real one gives only in trouble."""
    file, program = desk.ask(DEVICE), desk.folder / "bin" / "pulumi"
    program.parent.mkdir()
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    answers = {
        "exit 255": "pulumi failed for stack dev",
        'echo \'{"caKey": "planted-secret"}\'': "lacks output",
        "echo planted-secret": "lacks output",
        'echo \'{"caKey": "planted-secret", "caChain": "x"}\'': "no readable PEM certificate",
    }
    for script, said in answers.items():
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        done = desk.run("ca", "sign", "--csr", file, "--stack", "dev", PATH=path)
        assert done.returncode in {1, 2}
        assert said in done.stderr
        assert "planted-secret" not in done.stdout + done.stderr
    empty = desk.folder / "empty"
    empty.mkdir()
    assert "pulumi is not on PATH" in desk.run("ca", "sign", "--csr", file, "--stack", "dev", PATH=str(empty)).stderr


def pulumi(desk: Desk, told: dict[str, str], words: str) -> None:
    command, environment = ["pulumi", *words.split(), "--non-interactive"], os.environ | told
    done = subprocess.run(command, cwd=desk.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_authority_comes_from_a_stacks_secret(desk: Desk) -> None:
    """A real stack whose outputs were put there by an import, so that no program has to run."""
    if shutil.which("pulumi") is None:
        pytest.skip("pulumi is missing: put the engine on PATH")
    file = desk.ask(DEVICE)
    (desk.folder / "Pulumi.yaml").write_text("name: motcua\nruntime: python\n")
    told = {
        "PULUMI_HOME": str(desk.folder / "home"), "PULUMI_BACKEND_URL": f"file://{desk.folder}",
        "PULUMI_CONFIG_PASSPHRASE": "for this test", "PULUMI_SKIP_UPDATE_CHECK": "1",
    }  # fmt: skip
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    outputs = {
        "caCertificate": desk.authority["certificate"], "caChain": desk.authority["chain"],
        "caKey": secret | {"plaintext": json.dumps(desk.authority["key"])},
    }  # fmt: skip
    stack = {"urn": "urn:pulumi:dev::motcua::pulumi:pulumi:Stack::motcua-dev", "type": "pulumi:pulumi:Stack"}
    deployment: dict[str, object] = {"resources": [stack | {"custom": False, "outputs": outputs}]}
    pulumi(desk, told, "stack init dev")
    salt = desk.text("Pulumi.dev.yaml").partition("encryptionsalt:")[2].split()[0]
    deployment["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    (desk.folder / "state.json").write_text(json.dumps({"version": 3, "deployment": deployment}))
    pulumi(desk, told, "stack import -s dev --file state.json")
    signed = desk.run("ca", "sign", "--csr", file, "--stack", "dev", "--out", "device.pem", **told)
    assert signed.returncode == 0, signed.stderr
    assert desk.verifies("device.pem") == "device.pem: OK\n"
    (desk.folder / "Pulumi.dev.yaml").write_text("config:\n  motcua:inventory: world\n")
    shutil.copytree(default_path(), desk.folder / "world")
    rows = desk.text("world/devices.csv").splitlines(keepends=True)
    (desk.folder / "world/devices.csv").write_text("".join(row for row in rows if not row.startswith(DEVICE)))
    retired = desk.run("ca", "sign", "--csr", file, "--stack", "dev", **told)
    assert retired.returncode == 2, "the stack's inventory decides, not the sample"
    assert f"(inventory {desk.folder / 'world'})" in retired.stderr
    absent = desk.run("ca", "sign", "--csr", file, "--stack", "other", **told)
    assert absent.returncode == 1
    assert "stack other" in absent.stderr


def test_a_root_is_made_once_and_its_key_is_for_the_owner_alone(desk: Desk) -> None:
    words = ("ca", "root", "--out", "safe", "--name", "Motcua root vn83", "--years", "15")
    done = desk.run(*words)
    assert done.returncode == 0, done.stderr
    assert "keep it offline" in done.stderr
    assert stat.S_IMODE((desk.folder / "safe/root.key").stat().st_mode) == 0o600
    (made,) = pem.parse_certificates(desk.text("safe/root.pem"))
    assert abs((made.not_valid_after_utc - NOW).days - 15 * 365.25) <= 2
    assert signing.key_matches(pem.parse_private_key(desk.text("safe/root.key")), made)
    before = desk.text("safe/root.key")
    assert desk.run(*words).returncode == 2
    assert desk.text("safe/root.key") == before
    given = {"root_certificate": desk.text("safe/root.pem"), "root_key": before}
    dates = {"not_before": f"{NOW:%F}", "not_after": f"{NOW + timedelta(days=1000):%F}"}
    inputs = {"name": "Motcua vn83 prod", "stage": "prod", "generation": 1, **dates, **given}
    assert KINDS["authority"]().check({}, inputs)[1] == []


def test_a_request_is_made_where_the_key_stays_and_can_be_signed(desk: Desk) -> None:
    done = desk.run("ca", "request", "--name", DEVICE, "--out", "tls")
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((desk.folder / f"tls/{DEVICE}.key").stat().st_mode) == 0o600
    assert desk.sign(f"tls/{DEVICE}.csr", "--out", "device.pem").returncode == 0
    key = pem.parse_private_key(desk.text(f"tls/{DEVICE}.key"))
    assert signing.key_matches(key, pem.parse_certificates(desk.text("device.pem"))[0])
    assert desk.run("ca", "request", "--name", DEVICE, "--out", "tls").returncode == 2
    assert desk.run("ca", "request", "--name", "../x", "--out", "tls").returncode == 2


def test_show_names_what_is_in_a_file(desk: Desk) -> None:
    done = desk.run("ca", "show", "chain.pem")
    assert done.returncode == 0
    assert "Motcua vn83 dev" in done.stdout
    assert desk.authority["serial"] in done.stdout
    assert done.stdout.count("not after") == 2
    assert desk.run("ca", "show", "ca.key").returncode == 2


def test_rotation_reports_files_and_fails_when_one_has_ended(desk: Desk) -> None:
    ends = NOW + timedelta(days=500)
    good = desk.run("rotation", "report", "--certificate", "chain.pem", "--json")
    rows = json.loads(good.stdout)
    assert good.returncode == 0
    assert [(row["name"], row["generation"], row["state"]) for row in rows] == [
        ("Motcua vn83 dev", 1, "active"), ("Motcua vn83 dev root", 1, "active"),
    ]  # fmt: skip
    late = desk.run("rotation", "report", "--certificate", "chain.pem", "--today", f"{ends:%F}")
    assert late.returncode == 1
    assert "expired" in late.stdout
    assert desk.run("rotation", "report").returncode == 2
    assert desk.run("rotation", "report", "--certificate", "ca.key").returncode == 2
    assert desk.run("rotation", "report", "--certificate", "chain.pem", "--today", "soon").returncode == 2


def test_rotation_reports_what_a_stack_plans_and_what_the_ledger_holds(desk: Desk) -> None:
    (desk.folder / "Pulumi.dev.yaml").write_text("config:\n  motcua:stage: dev\n  motcua:target: local\n")
    old = f"0b,{DEVICE},2025-01-01T00:00:00Z,2026-01-01T00:00:00Z\n"
    new = f"0c,{DEVICE},2025-12-01T00:00:00Z,2036-12-01T00:00:00Z\n"
    (desk.folder / "signed.csv").write_text("serial,name,not_before,not_after\n" + old + new)
    words = ("rotation", "report", "--stack-file", "Pulumi.dev.yaml", "--inventory", str(default_path()))
    done = desk.run(*words, "--ledger", "signed.csv", "--today", "2026-11-23", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {row["use"] for row in rows} == {"authority", "server", "client"}
    assert [row["generation"] for row in rows if row["name"] == DEVICE] == [2], "what was replaced is left out"
    assert "motcua-rollup" in desk.run(*words).stdout
    (desk.folder / "signed.csv").write_text("serial,name,not_before,not_after\n0b,x,yesterday,\n")
    torn = desk.run("rotation", "report", "--ledger", "signed.csv")
    assert torn.returncode == 2
    assert "line 2" in torn.stderr


def test_rotation_reports_on_the_stacks_day_unless_another_is_given(desk: Desk) -> None:
    text = "config:\n  motcua:stage: dev\n  motcua:target: local\n  motcua:today: 2031-02-03\n"
    (desk.folder / "Pulumi.dev.yaml").write_text(text)
    words = ("rotation", "report", "--stack-file", "Pulumi.dev.yaml", "--inventory", str(default_path()))
    assert "Certificates on 2031-02-03" in desk.run(*words).stdout
    assert "Certificates on 2031-02-04" in desk.run(*words, "--today", "2031-02-04").stdout


def test_rotation_takes_a_stacks_inventory_from_the_projects_folder(desk: Desk) -> None:
    shutil.copytree(default_path(), desk.folder / "project/world")
    (desk.folder / "project/Pulumi.yaml").write_text("name: motcua\nruntime: python\n")
    text = "config:\n  motcua:stage: dev\n  motcua:target: local\n  motcua:inventory: {}\n"
    (desk.folder / "project/Pulumi.dev.yaml").write_text(text.format("world"))
    done = desk.run("rotation", "report", "--stack-file", "project/Pulumi.dev.yaml")
    assert done.returncode == 0, done.stderr
    assert "motcua-rollup" in done.stdout
    (desk.folder / "project/Pulumi.dev.yaml").write_text(text.format("nowhere"))
    lost = desk.run("rotation", "report", "--stack-file", "project/Pulumi.dev.yaml")
    assert lost.returncode == 2
    assert "Pulumi.dev.yaml:4: motcua:inventory: there is no folder " in lost.stderr


def test_a_device_without_the_library_is_told_how_openssl_does_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['cryptography'] = None; from motcua.cli.app import main; main()"
    words = [sys.executable, "-c", code, "ca", "request", "--name", DEVICE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "openssl req" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["ca sign", "ca root", "ca request", "ca show", "rotation report"])
def test_help_is_there(desk: Desk, command: str) -> None:
    done = desk.run(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
