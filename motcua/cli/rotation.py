"""`motcua rotation report`: when certificates expire, and when they are renewed. It must not call Pulumi."""

from __future__ import annotations

import csv
import json as json_text
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.table import Table

from motcua.authority import check_ledger, option_error, read_option_file, require_cryptography
from motcua.report_console import open_report_console, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.providers.pki.rotation import PlannedCertificate, RotationRow

app = typer.Typer(no_args_is_help=True, help="Certificates that must be renewed, and when.")
COLUMNS = ("Name", "Use", "No.", "Not after", "Days", "State", "Renewal")
NUMERIC_COLUMNS = ("No.", "Days")
STATE_COLOURS = {"next": "blue", "active": "green", "retiring": "yellow", "expired": "red"}


@app.callback()
def rotation() -> None:
    """Keep `report` a subcommand: typer would drop the name of a single command."""


@app.command("report")
def report(
    stack_file: Annotated[Path | None, typer.Option(help="Report the plan of this Pulumi.NAME.yaml.")] = None,
    certificate: Annotated[
        list[Path] | None, typer.Option(help="Report the certificates in this PEM file; may be repeated.")
    ] = None,
    ledger: Annotated[Path | None, typer.Option(help="Report this ledger of `motcua ca sign`.")] = None,
    today: Annotated[
        str | None,
        typer.Option(help="Report as of this date, e.g. 2027-01-31 (default: that of the stack file, else today)."),
    ] = None,
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: the stack file's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Report for each certificate when it expires and when `pulumi up` creates the next one.

    A stack file gives the planned certificates of that day, whether or not `pulumi up` has run; PEM files give existing
    ones, a ledger those signed for devices. Exit 1 when a certificate has expired without a successor.
    """
    from infra.providers.pki.rotation import overdue_rows, rotation_report as reported

    day = parse_day(today, stack_file)
    certificates: list[PlannedCertificate] = []
    if stack_file is not None:
        certificates += planned_certificates(stack_file, inventory, day)
    for path in certificate or []:
        certificates += read_certificates(path)
    certificates += ledger_certificates(ledger) if ledger is not None else []
    if not certificates:
        remedy = "give --stack-file FILE, --certificate FILE or --ledger FILE"
        raise option_error("--stack-file", "nothing to report about", remedy)
    # Expired certificates that were replaced are left out; a ledger has many of them.
    rows = [row for row in reported(certificates, day) if row.state != "expired" or row.renew_on is not None]
    print_rows(rows, day, as_json=json)
    if overdue_rows(rows):
        raise typer.Exit(1)


def parse_day(text: str | None, stack_file: Path | None) -> date:
    """Return the requested day, by default the stack file's, else today in UTC. Raises ConfigError."""
    if text is None:
        from infra.config.stack_file import load_options

        planned = load_options(stack_file).today if stack_file else None
        return planned or datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise option_error("--today", f"not a date: {text!r}", "write e.g. 2027-01-31") from None


def planned_certificates(stack_file: Path, inventory: Path | None, today: date) -> Sequence[PlannedCertificate]:
    """Return a stack's planned certificates on a day. Raises ConfigError and InventoryError."""
    from motcua.stacks import open_stacks

    return open_stacks([stack_file], inventory, today)[0].plan.all_certificates


def read_certificates(path: Path) -> Sequence[PlannedCertificate]:
    """Return the certificates of a PEM file. Raises ConfigError."""
    require_cryptography()
    from infra.providers.pki import pem
    from infra.providers.pki.rotation import issued_certificate

    try:
        return [
            issued_certificate(certificate)
            for certificate in pem.parse_certificates(read_option_file(path, "--certificate"))
        ]
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise option_error("--certificate", problem, remedy, str(path)) from None


def ledger_certificates(path: Path) -> Sequence[PlannedCertificate]:
    """Return a ledger's certificates; those of one name are numbered as generations. Raises ConfigError."""
    from infra.providers.pki.rotation import IssuedCertificate

    check_ledger(path)
    counts: Counter[str] = Counter()
    certificates = []
    for line, row in enumerate(csv.DictReader(read_option_file(path, "--ledger").splitlines()), 2):
        try:
            first, last = (datetime.fromisoformat(row[name]).date() for name in ("not_before", "not_after"))
            counts[row["name"]] += 1
        except (KeyError, TypeError, ValueError):
            remedy = "restore the line as `motcua ca sign` wrote it"
            raise option_error("--ledger", f"line {line} is no entry", remedy, str(path)) from None
        certificates.append(IssuedCertificate(row["name"], "client", first, last, counts[row["name"]]))
    return certificates


def print_rows(rows: Sequence[RotationRow], today: date, *, as_json: bool) -> None:
    """Print the rows as a table, or as JSON."""
    if as_json:
        print(json_text.dumps([row_fields(row) for row in rows], indent=2))
        return
    table = Table(title=f"Certificates on {today}", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        justify: Literal["left", "right"] = "right" if name in NUMERIC_COLUMNS else "left"
        table.add_column(name, justify=justify, no_wrap=name != "Name", overflow="fold")
    for row in rows:
        state = f"[{STATE_COLOURS[row.state]}]{row.state}[/]"
        ends = (str(row.not_after), str(row.days_left), state, renewal_text(row, today))
        table.add_row(row.name, row.use, str(row.generation or "–"), *ends)
    print_table(open_report_console(), table)


def renewal_text(row: RotationRow, today: date) -> str:
    """Return when the next certificate is created, as text."""
    if row.renew_on is None:
        return "done"
    return "now" if row.renew_on <= today else str(row.renew_on)


def row_fields(row: RotationRow) -> dict[str, object]:
    """Return a row as JSON values."""
    return {
        "name": row.name,
        "use": row.use,
        "generation": row.generation or None,
        "not_after": str(row.not_after),
        "days_left": row.days_left,
        "state": row.state,
        "renew_on": None if row.renew_on is None else str(row.renew_on),
    }
