"""`motcua ca …`: sign requests, create a root or a request, show certificates. It must not read a device's key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from motcua import authority
from motcua.authority import option_error
from motcua.cli import ConfigOption
from motcua.startup import load_settings

if TYPE_CHECKING:
    from infra.providers.pki.csr import CertificateRequest

app = typer.Typer(no_args_is_help=True, help="Certificates: sign a request, create a root or a request, show a file.")
err = Console(stderr=True, soft_wrap=True, highlight=False)
DAYS_PER_YEAR = 365.25
BACKDATE = timedelta(days=1)
"""For devices whose clock is slow at their first connection to a server under a new root."""


class CertificateUse(StrEnum):
    """What a certificate is for."""

    CLIENT = "client"
    SERVER = "server"


OutFolderOption = Annotated[Path, typer.Option(help="Folder for the two files; existing files are not overwritten.")]


@app.command("sign")
def sign(
    csr: Annotated[Path, typer.Option(help="The certificate request, PEM; the key stays on the device.")],
    out: Annotated[Path | None, typer.Option(help="Write the certificate to this file (default: print it).")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Validity in days (default: one year).")] = None,
    use: Annotated[
        CertificateUse, typer.Option(help="client: for a device or service; server: for a broker or proxy.")
    ] = CertificateUse.CLIENT,
    host: Annotated[list[str] | None, typer.Option(help="DNS name or IP address of a server; repeatable.")] = None,
    service: Annotated[bool, typer.Option("--service", help="The request is a service's, not a device's.")] = False,
    stack: Annotated[str, typer.Option(help="Sign with the authority of this Pulumi stack.")] = "",
    ca_cert: Annotated[
        Path | None, typer.Option(help="Sign with this intermediate certificate, followed by its root (PEM).")
    ] = None,
    ca_key: Annotated[Path | None, typer.Option(help="Key of --ca-cert (PEM).")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Append serial, name and dates to this CSV file.")] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="Folder of the inventory (default: the stack's, else MOTCUA_INVENTORY).")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Sign a request with the stage's authority: for a declared device, a service or a server.

    Only the name and the public key are taken from the request. The certificate is written with its intermediate,
    as the device presents both.
    """
    authority.require_cryptography()
    from infra.providers.pki.csr import RequestRefused, sign_request as signed

    request = read_request(csr)
    hosts = parse_hosts(host or [], use)
    if use is CertificateUse.SERVER:
        check_server_name(request.name, csr, hosts)
    else:
        check_declared_name(
            request.name, csr, inventory or stack_inventory(stack) or load_settings(config).inventory, service=service
        )
    if out is not None:
        authority.check_absent(out)
    if ledger is not None:
        authority.check_ledger(ledger)
    signer = authority.load_signer(stack, ca_cert, ca_key)
    try:
        issued = signed(request, signer, datetime.now(UTC), None if days is None else timedelta(days=days), hosts)
    except RequestRefused as error:
        raise option_error("--days", error.problem, error.remedy) from None
    if ledger is not None:
        authority.append_ledger(ledger, request.name, issued)
    if out is None:
        print(issued.chain, end="")
    else:
        authority.write_new(out, issued.chain)
    err.print(f"{request.name}: serial {issued.serial}, not after {issued.certificate.not_valid_after_utc:%Y-%m-%d}")


def read_request(path: Path) -> CertificateRequest:
    """Return a file's certificate request. Raises ConfigError."""
    from infra.providers.pki.csr import RequestRefused, parse_request

    try:
        return parse_request(authority.read_option_file(path, "--csr"))
    except RequestRefused as error:
        raise option_error("--csr", error.problem, error.remedy, str(path)) from None


def parse_hosts(names: list[str], use: CertificateUse) -> tuple[str, ...]:
    """Return a server's names and addresses. Raises ConfigError."""
    from infra.providers.pki.stateless import parse_host

    if names and use is CertificateUse.CLIENT:
        raise option_error("--host", "is only for servers", "add --use server, or omit it")
    try:
        return tuple(dict.fromkeys(parse_host(name) for name in names))
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise option_error("--host", problem or str(error), remedy or "write a DNS name or an IP address") from None


def check_server_name(name: str, csr: Path, hosts: tuple[str, ...]) -> None:
    """Raise ConfigError unless a server of this name may have a certificate."""
    from infra.providers.pki.csr import server_refusal

    refusal = server_refusal(name, hosts)
    if refusal is not None:
        raise option_error("--csr", *refusal, str(csr))


def stack_inventory(stack: str) -> Path | None:
    """Return the inventory folder of a Pulumi stack; None without a stack or its file."""
    from infra.config.stack_file import value_and_line
    from motcua.stacks import inventory_folder, stack_file_of

    file = stack_file_of(stack) if stack else None
    if file is None:
        return None
    folder = inventory_folder(file)
    return folder if folder.is_dir() or value_and_line(file, "inventory")[0] else None


def check_declared_name(name: str, csr: Path, inventory: Path | None, *, service: bool) -> None:
    """Raise ConfigError unless the name is a declared device's, or a service's with --service."""
    from infra.plan.broker import agent_devices
    from infra.providers.pki.csr import client_refusal
    from telemetry import inventory as declared

    folder = inventory or declared.default_path()
    why = client_refusal(name, {device.id for device in agent_devices(declared.load(folder))}, service=service)
    if why is not None:
        problem, remedy = why
        raise option_error("--csr", f"{problem} (inventory {folder})", remedy, str(csr))


@app.command("root")
def root(
    out: OutFolderOption,
    name: Annotated[str, typer.Option(help="Common name of the root, e.g. 'Motcua root vn83'.")],
    years: Annotated[int, typer.Option(min=1, max=40, help="Validity in years.")] = 20,
) -> None:
    """Create a root for stages that do not create their own: root.pem to distribute, root.key to keep offline."""
    authority.require_cryptography()
    from infra.providers.pki import pem, signing

    check_common_name(name)
    now, key = datetime.now(UTC), signing.new_key()
    span = signing.ValidityPeriod(now - BACKDATE, now + timedelta(days=round(years * DAYS_PER_YEAR)))
    terms = signing.CertificateTerms(signing.subject_name(name), span, signing.new_serial())
    certificate = signing.sign_root(terms, key)
    authority.check_absent(out / "root.pem")
    authority.write_new(out / "root.key", pem.key_to_pem(key), 0o600)
    authority.write_new(out / "root.pem", pem.certificates_to_pem([certificate]))
    err.print(f"{out / 'root.pem'}: {name}, not after {span.ends:%Y-%m-%d}, SHA-256 {pem.fingerprint(certificate)}")
    err.print(f"{out / 'root.key'}: keep it offline, with a copy; it is needed only to create a stage's authority.")


@app.command("request")
def request_(
    name: Annotated[str, typer.Option(help="Id of the device, or name of the service.")],
    out: OutFolderOption = Path(),
) -> None:
    """Create a key and a request. Run it on the machine that uses the key: the key stays there."""
    authority.require_cryptography()
    from infra.providers.pki import csr, pem, signing

    check_common_name(name)
    if "/" in name or name.startswith("."):
        raise option_error("--name", f"{name!r} is not a file name", "use the device's id")
    key = signing.new_key()
    authority.check_absent(out / f"{name}.csr")
    authority.write_new(out / f"{name}.key", pem.key_to_pem(key), 0o600)
    authority.write_new(out / f"{name}.csr", csr.create_request(name, key))
    err.print(f"{out / name}.key stays here; sign {out / name}.csr with `motcua ca sign`.")


def check_common_name(name: str) -> None:
    """Raise ConfigError for a name that a certificate cannot have."""
    from infra.providers.pki.stateless import parse_common_name

    try:
        parse_common_name(name)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise option_error("--name", problem, remedy) from None


@app.command("show")
def show(file: Annotated[Path, typer.Argument(help="A PEM file with certificates.")]) -> None:
    """Show the certificates of a file: name, serial, dates, issuer."""
    authority.require_cryptography()
    from infra.providers.pki import pem, signing

    text = authority.read_option_file(file, "FILE")
    try:
        certificates = pem.parse_certificates(text)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise option_error("FILE", problem, remedy, str(file)) from None
    for certificate in certificates:
        print(f"name        {signing.common_name(certificate.subject)}")
        print(f"serial      {pem.serial_to_hex(certificate.serial_number)}")
        print(f"not before  {certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
        print(f"not after   {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
        print(f"issuer      {certificate.issuer.rfc4514_string()}")
        print(f"sha-256     {pem.fingerprint(certificate)}")
