"""Where the key of a stage's authority comes from, and how keys and the ledger are written. It must not show a key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.providers.pki.sign_request import Issued, Signer

CERT, KEY = "MOTCUA_CA_CERT", "MOTCUA_CA_KEY"
OUTPUTS = ("caCertificate", "caChain", "caKey")
LEDGER = "serial,name,not_before,not_after\n"
PULUMI_S = 180
WITHOUT = (
    "install motcua[infra]; a key and a request alone: umask 077; openssl req -newkey ec -nodes "
    "-pkeyopt ec_paramgen_curve:P-256 -subj /CN=NAME -keyout NAME.key -out NAME.csr"
)


class EngineFailed(MotcuaError):
    """Pulumi could not be asked, or did not answer with what was asked for."""


def refused(field: str, problem: str, remedy: str, file: str = "command line") -> ConfigError:
    """Return the error that names an option, what is wrong and the way out."""
    return ConfigError([Fault(file, 0, field, problem, remedy)])


def needs_cryptography() -> None:
    """Raise ConfigError where the library that signs is not installed, as on a device."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise refused("cryptography", "is not installed here", WITHOUT) from None


def signer_of(stack: str, cert: Path | None, key: Path | None) -> Signer:
    """Return the authority of a stack, or of two files. Raises ConfigError and EngineFailed."""
    from pathlib import Path

    if stack and (cert or key):
        raise refused("--stack", "is given beside --ca-cert or --ca-key", "give the one or the other")
    if stack:
        found = _outputs(stack)
        return _signer(found["caChain"] or found["caCertificate"], found["caKey"], f"stack {stack}")
    told = os.environ.get(CERT), os.environ.get(KEY)
    cert, key = cert or (Path(told[0]) if told[0] else None), key or (Path(told[1]) if told[1] else None)
    if cert is None or key is None:
        remedy = f"give --stack NAME, or --ca-cert and --ca-key (or {CERT} and {KEY})"
        raise refused("--stack", "no authority to sign with", remedy)
    return _signer(text_of(cert, "--ca-cert"), text_of(key, "--ca-key"), str(cert))


def _signer(chain: str, key: str, where: str) -> Signer:
    from infra.providers.pki.csr import Refused
    from infra.providers.pki.sign_request import signer

    try:
        return signer(chain, key)
    except Refused as error:
        raise refused("authority", error.problem, error.remedy, where) from None


def _outputs(stack: str) -> dict[str, str]:
    """Ask Pulumi for the stack's authority; what it prints holds the key and is shown nowhere."""
    if shutil.which("pulumi") is None:
        raise refused("--stack", "there is no pulumi on PATH", "install it, or give --ca-cert and --ca-key")
    words = ["pulumi", "stack", "output", "--show-secrets", "--json", "--non-interactive", "-s", stack]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PULUMI_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise EngineFailed(f"pulumi did not answer within {PULUMI_S} s; see whether the stack is locked") from None
    if done.returncode:
        told = " ".join(done.stderr.split())[:300]
        raise EngineFailed(f"pulumi says about stack {stack}: {told}; run this in the project's folder, logged in")
    return _secrets(done.stdout, stack)


def _secrets(printed: str, stack: str) -> dict[str, str]:
    try:
        values = json.loads(printed)
    except ValueError:
        values = None
    found = {name: str(values.get(name) or "") for name in OUTPUTS} if isinstance(values, dict) else {}
    if not found.get("caKey") or not (found["caChain"] or found["caCertificate"]):
        raise EngineFailed(f"stack {stack} has no output {' or '.join(OUTPUTS)}; run `pulumi up -s {stack}` first")
    return found


def text_of(path: Path, option: str) -> str:
    """Return a file's text. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise refused(option, str(error.strerror), "name a file that you may read", str(path)) from None
    except UnicodeDecodeError:
        remedy = "convert it: openssl req or x509 with -inform DER"
        raise refused(option, "is not PEM text", remedy, str(path)) from None


def see_free(path: Path, option: str = "--out") -> None:
    """Raise ConfigError when there is something already."""
    if path.exists() or path.is_symlink():
        raise refused(option, "exists, and nothing is overwritten", "move it away, or name another", str(path))


def write_new(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file that is not there yet, to the disk. Raises ConfigError."""
    see_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise refused("--out", str(error.strerror), "name a folder that you may write", str(path)) from None


def see_ledger(path: Path) -> None:
    """Raise ConfigError when a file is there that is no ledger."""
    if path.exists() and not text_of(path, "--ledger").startswith(LEDGER):
        remedy = "name another file; its first line must be " + LEDGER.strip()
        raise refused("--ledger", "is no ledger of certificates", remedy, str(path))


def enter(path: Path, name: str, issued: Issued) -> None:
    """Add a line to the ledger, and see it on the disk. Raises ConfigError."""
    span = (issued.certificate.not_valid_before_utc, issued.certificate.not_valid_after_utc)
    line = ",".join((issued.serial, name, *(f"{when:%Y-%m-%dT%H:%M:%SZ}" for when in span)))
    try:
        with path.open("a", encoding="ascii") as file:
            file.write(("" if file.tell() else LEDGER) + line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise refused("--ledger", str(error.strerror), "name a file that you may write", str(path)) from None
