"""`motcua ca …`: sign requests, make a root or a request, show certificates. It must not take a device's key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from motcua import authority
from motcua.authority import refused
from motcua.startup import settings_of

if TYPE_CHECKING:
    from infra.providers.pki.csr import Request

app = typer.Typer(no_args_is_help=True, help="Certificates: sign a device's request, make a root, show a file.")
err = Console(stderr=True, soft_wrap=True, highlight=False)
DAYS_A_YEAR = 365.25
BACKDATE = timedelta(days=1)
"""For devices whose clock is behind when they first meet a server of a new root."""


class Use(StrEnum):
    """What can be signed on request."""

    CLIENT = "client"
    SERVER = "server"


Out = Annotated[Path, typer.Option(help="Folder for the two files; nothing is overwritten.")]


@app.command("sign")
def sign(
    csr: Annotated[Path, typer.Option(help="The device's request, PEM. Its key stays on the device.")],
    out: Annotated[Path | None, typer.Option(help="Write the certificate here (default: print it).")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it lasts (default: a year).")] = None,
    use: Annotated[Use, typer.Option(help="client: a device or service; server: a broker or proxy.")] = Use.CLIENT,
    host: Annotated[list[str] | None, typer.Option(help="A server's name or address; again for each.")] = None,
    service: Annotated[bool, typer.Option("--service", help="For one of the services, not for a device.")] = False,
    stack: Annotated[str, typer.Option(help="Sign with the authority of this Pulumi stack.")] = "",
    ca_cert: Annotated[Path | None, typer.Option(help="Or with this intermediate, the root after it.")] = None,
    ca_key: Annotated[Path | None, typer.Option(help="And its key.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Add serial, name and dates to this CSV file.")] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="The inventory's folder (default: the stack's, else MOTCUA_INVENTORY).")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
) -> None:
    """Sign a request with the stage's authority: for a declared device, or for a server.

    Nothing but the name and the key is taken from the request. The certificate comes with its intermediate,
    as the device presents it.
    """
    authority.needs_cryptography()
    from infra.providers.pki.csr import Refused
    from infra.providers.pki.sign_request import sign as signed

    asked = asked_by(csr)
    hosts = hosts_of(host or [], use)
    if use is Use.SERVER:
        see_server(asked.name, csr, hosts)
    else:
        see_named(asked.name, csr, inventory or deployed(stack) or settings_of(config).inventory, service=service)
    if out is not None:
        authority.see_free(out)
    if ledger is not None:
        authority.see_ledger(ledger)
    by = authority.signer_of(stack, ca_cert, ca_key)
    try:
        issued = signed(asked, by, datetime.now(UTC), None if days is None else timedelta(days=days), hosts)
    except Refused as error:
        raise refused("--days", error.problem, error.remedy) from None
    if ledger is not None:
        authority.enter(ledger, asked.name, issued)
    if out is None:
        print(issued.chain, end="")
    else:
        authority.write_new(out, issued.chain)
    err.print(f"{asked.name}: serial {issued.serial}, not after {issued.certificate.not_valid_after_utc:%Y-%m-%d}")


def asked_by(path: Path) -> Request:
    """Return what a file asks for. Raises ConfigError."""
    from infra.providers.pki.csr import Refused, request

    try:
        return request(authority.text_of(path, "--csr"))
    except Refused as error:
        raise refused("--csr", error.problem, error.remedy, str(path)) from None


def hosts_of(given: list[str], use: Use) -> tuple[str, ...]:
    """Return a server's names and addresses. Raises ConfigError."""
    from infra.providers.pki.inputs import host

    if given and use is Use.CLIENT:
        raise refused("--host", "is for servers", "add --use server, or leave it out")
    try:
        return tuple(dict.fromkeys(host(one) for one in given))
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise refused("--host", problem or str(error), remedy or "write a DNS name or an IP address") from None


def see_server(name: str, csr: Path, hosts: tuple[str, ...]) -> None:
    """Raise ConfigError unless a server of that name may have a certificate."""
    from infra.providers.pki.names import server_refusal

    why = server_refusal(name, hosts)
    if why is not None:
        raise refused("--csr", *why, str(csr))


def deployed(stack: str) -> Path | None:
    """Return the inventory that a Pulumi stack is made from; None without a stack or its file."""
    from infra.config.stack_file import said
    from motcua.stacks import file_of, named

    file = file_of(stack) if stack else None
    if file is None:
        return None
    folder = named(file)
    return folder if folder.is_dir() or said(file, "inventory")[0] else None


def see_named(name: str, csr: Path, inventory: Path | None, *, service: bool) -> None:
    """Raise ConfigError unless the name is a declared device's, or a service's when that was asked for."""
    from infra.plan.broker import agents
    from infra.providers.pki.names import refusal
    from telemetry import inventory as declared

    folder = inventory or declared.default_path()
    why = refusal(name, {device.id for device in agents(declared.load(folder))}, service=service)
    if why is not None:
        problem, remedy = why
        raise refused("--csr", f"{problem} (inventory {folder})", remedy, str(csr))


@app.command("root")
def root(
    out: Out,
    name: Annotated[str, typer.Option(help="The root's common name, e.g. 'Motcua root vn83'.")],
    years: Annotated[int, typer.Option(min=1, max=40, help="How long it lasts.")] = 20,
) -> None:
    """Make a root for stages that do not make their own: root.pem for everyone, root.key for the safe."""
    authority.needs_cryptography()
    from infra.providers.pki import pem, signing

    see_fits(name)
    now, key = datetime.now(UTC), signing.new_key()
    span = signing.Span(now - BACKDATE, now + timedelta(days=round(years * DAYS_A_YEAR)))
    made = signing.root(signing.Terms(signing.named(name), span, signing.new_serial()), key)
    authority.see_free(out / "root.pem")
    authority.write_new(out / "root.key", pem.written_key(key), 0o600)
    authority.write_new(out / "root.pem", pem.written([made]))
    err.print(f"{out / 'root.pem'}: {name}, not after {span.ends:%Y-%m-%d}, SHA-256 {pem.fingerprint(made)}")
    err.print(f"{out / 'root.key'}: keep it offline, with a copy; it is needed only when a stage's authority is made.")


@app.command("request")
def request_(
    name: Annotated[str, typer.Option(help="The device's id, or a service's name.")],
    out: Out = Path(),
) -> None:
    """Make a key and a request; run it where the key belongs, for the key stays there."""
    authority.needs_cryptography()
    from infra.providers.pki import csr, pem, signing

    see_fits(name)
    if "/" in name or name.startswith("."):
        raise refused("--name", f"{name!r} is no name of a file", "use the device's id")
    key = signing.new_key()
    authority.see_free(out / f"{name}.csr")
    authority.write_new(out / f"{name}.key", pem.written_key(key), 0o600)
    authority.write_new(out / f"{name}.csr", csr.made(name, key))
    err.print(f"{out / name}.key stays here; have {out / name}.csr signed with `motcua ca sign`.")


def see_fits(name: str) -> None:
    """Raise ConfigError for a name that fits no certificate."""
    from infra.providers.pki.inputs import common_name

    try:
        common_name(name)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise refused("--name", problem, remedy) from None


@app.command("show")
def show(file: Annotated[Path, typer.Argument(help="A PEM file with certificates.")]) -> None:
    """Show the certificates of a file: name, serial, dates, issuer."""
    authority.needs_cryptography()
    from infra.providers.pki import pem, signing

    text = authority.text_of(file, "FILE")
    try:
        found = pem.certificates(text)
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise refused("FILE", problem, remedy, str(file)) from None
    for one in found:
        print(f"name        {signing.common_name(one.subject)}")
        print(f"serial      {pem.hexadecimal(one.serial_number)}")
        print(f"not before  {one.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
        print(f"not after   {one.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
        print(f"issuer      {one.issuer.rfc4514_string()}")
        print(f"sha-256     {pem.fingerprint(one)}")
