"""Loads the signing authority of a stage and writes keys and the certificate ledger. It must not show a key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.providers.pki.csr import SignedCertificate, SigningAuthority

CERT_ENV, KEY_ENV = "MOTCUA_CA_CERT", "MOTCUA_CA_KEY"
STACK_OUTPUTS = ("caCertificate", "caChain", "caKey")
LEDGER_HEADER = "serial,name,not_before,not_after\n"
PULUMI_TIMEOUT_S = 180
INSTALL_REMEDY = (
    'pip install "motcua[server]" or pip install "motcua[infra]"; a key and a request alone: umask 077; '
    "openssl req -newkey ec -nodes -pkeyopt ec_paramgen_curve:P-256 -subj /CN=NAME -keyout NAME.key -out NAME.csr"
)


class EngineFailed(MotcuaError):
    """Pulumi could not run, or its answer lacks the requested outputs."""


def option_error(field: str, problem: str, remedy: str, file: str = "command line") -> ConfigError:
    """Return the error for an option, with problem and remedy."""
    return ConfigError([Fault(file, 0, field, problem, remedy)])


def require_cryptography() -> None:
    """Raise ConfigError where `cryptography` is not installed, as on a device."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise option_error("cryptography", "is not installed here", INSTALL_REMEDY) from None


def load_signer(stack: str, cert: Path | None, key: Path | None) -> SigningAuthority:
    """Return the authority of a stack, or of two files. Raises ConfigError and EngineFailed."""
    from pathlib import Path

    if stack and (cert or key):
        raise option_error("--stack", "is given together with --ca-cert or --ca-key", "give only one of them")
    if stack:
        outputs = _stack_outputs(stack)
        return _build_signer(outputs["caChain"] or outputs["caCertificate"], outputs["caKey"], f"stack {stack}")
    paths = os.environ.get(CERT_ENV), os.environ.get(KEY_ENV)
    cert, key = cert or (Path(paths[0]) if paths[0] else None), key or (Path(paths[1]) if paths[1] else None)
    if cert is None or key is None:
        remedy = f"give --stack NAME, or --ca-cert and --ca-key (or {CERT_ENV} and {KEY_ENV})"
        raise option_error("--stack", "no authority to sign with", remedy)
    return _build_signer(read_option_file(cert, "--ca-cert"), read_option_file(key, "--ca-key"), str(cert))


def _build_signer(chain: str, key: str, where: str) -> SigningAuthority:
    from infra.providers.pki.csr import RequestRefused, load_signing_authority

    try:
        return load_signing_authority(chain, key)
    except RequestRefused as error:
        raise option_error("authority", error.problem, error.remedy, where) from None


def _stack_outputs(stack: str) -> dict[str, str]:
    """Read the stack's authority from Pulumi; its output contains the key and is not shown."""
    if shutil.which("pulumi") is None:
        raise option_error("--stack", "pulumi is not on PATH", "install it, or give --ca-cert and --ca-key")
    command = ["pulumi", "stack", "output", "--show-secrets", "--json", "--non-interactive", "-s", stack]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PULUMI_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        msg = f"pulumi did not answer within {PULUMI_TIMEOUT_S} s; check whether the stack is locked"
        raise EngineFailed(msg) from None
    if result.returncode:
        message = " ".join(result.stderr.split())[:300]
        raise EngineFailed(f"pulumi failed for stack {stack}: {message}; run this in the project's folder, logged in")
    return _parse_outputs(result.stdout, stack)


def _parse_outputs(printed: str, stack: str) -> dict[str, str]:
    try:
        values = json.loads(printed)
    except ValueError:
        values = None
    outputs = {name: str(values.get(name) or "") for name in STACK_OUTPUTS} if isinstance(values, dict) else {}
    if not outputs.get("caKey") or not (outputs["caChain"] or outputs["caCertificate"]):
        raise EngineFailed(f"stack {stack} lacks output {' or '.join(STACK_OUTPUTS)}; run `pulumi up -s {stack}` first")
    return outputs


def read_option_file(path: Path, option: str) -> str:
    """Return a file's text. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise option_error(option, str(error.strerror), "name a file that you may read", str(path)) from None
    except UnicodeDecodeError:
        remedy = "convert it: openssl req or x509 with -inform DER"
        raise option_error(option, "is not PEM text", remedy, str(path)) from None


def check_absent(path: Path, option: str = "--out") -> None:
    """Raise ConfigError when the path exists."""
    if path.exists() or path.is_symlink():
        raise option_error(option, "exists, and nothing is overwritten", "move it away, or name another", str(path))


def write_new(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a new file and sync it to disk. Raises ConfigError when it exists or cannot be written."""
    check_absent(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise option_error("--out", str(error.strerror), "name a folder that you may write", str(path)) from None


def check_ledger(path: Path) -> None:
    """Raise ConfigError when the file exists and is no ledger."""
    if path.exists() and not read_option_file(path, "--ledger").startswith(LEDGER_HEADER):
        remedy = "name another file; its first line must be " + LEDGER_HEADER.strip()
        raise option_error("--ledger", "is not a ledger of certificates", remedy, str(path))


def append_ledger(path: Path, name: str, issued: SignedCertificate) -> None:
    """Append a line to the ledger and sync it to disk. Raises ConfigError."""
    span = (issued.certificate.not_valid_before_utc, issued.certificate.not_valid_after_utc)
    line = ",".join((issued.serial, name, *(f"{when:%Y-%m-%dT%H:%M:%SZ}" for when in span)))
    try:
        with path.open("a", encoding="ascii") as file:
            file.write(("" if file.tell() else LEDGER_HEADER) + line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise option_error("--ledger", str(error.strerror), "name a file that you may write", str(path)) from None
