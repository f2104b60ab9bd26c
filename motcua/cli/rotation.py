"""`motcua rotation report`: which certificates end when, and what renews them. It must not ask an engine."""

from __future__ import annotations

import csv
import json as json_text
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from motcua.authority import needs_cryptography, refused, see_ledger, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.providers.pki.rotation import Planned, Row

app = typer.Typer(no_args_is_help=True, help="What is to be renewed, and when.")
COLUMNS = ("Name", "Use", "No.", "Not after", "Days", "State", "Renewal")
NUMBERS = ("No.", "Days")
COLOURS = {"next": "blue", "active": "green", "retiring": "yellow", "expired": "red"}


@app.callback()
def rotation() -> None:
    """Keep `report` a command of its own, whatever else joins it."""


@app.command("report")
def report(
    stack_file: Annotated[Path | None, typer.Option(help="Report what this stack plans (Pulumi.NAME.yaml).")] = None,
    certificate: Annotated[list[Path] | None, typer.Option(help="Report this PEM file; may be repeated.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Report what `motcua ca sign` entered here.")] = None,
    today: Annotated[str | None, typer.Option(help="As of this date, e.g. 2027-01-31 (default: today).")] = None,
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: the stack file's).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say for each certificate when it ends and when `pulumi up` makes the next one.

    A stack file tells what is planned for that day, whether or not `pulumi up` has run; PEM files tell what is there,
    a ledger what was signed for devices. Exit 1 when something has ended without a successor.
    """
    from infra.providers.pki.rotation import overdue, report as reported

    day = day_of(today)
    found: list[Planned] = []
    if stack_file is not None:
        found += planned(stack_file, inventory, day)
    for path in certificate or []:
        found += read(path)
    found += entered(ledger) if ledger is not None else []
    if not found:
        remedy = "give --stack-file FILE, --certificate FILE or --ledger FILE"
        raise refused("--stack-file", "nothing to report about", remedy)
    # What has ended and was replaced is of no interest any more; a ledger is full of it.
    rows = [row for row in reported(found, day) if row.state != "expired" or row.renew_on is not None]
    show(rows, day, as_json=json)
    if overdue(rows):
        raise typer.Exit(1)


def day_of(text: str | None) -> date:
    """Return the asked day, today's in UTC by default. Raises ConfigError."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise refused("--today", f"not a date: {text!r}", "write e.g. 2027-01-31") from None


def planned(stack_file: Path, inventory: Path | None, today: date) -> Sequence[Planned]:
    """Return what a stack plans for a day. Raises ConfigError and InventoryError."""
    from motcua.stacks import opened

    return opened([stack_file], inventory, today)[0].plan.certificates


def read(path: Path) -> Sequence[Planned]:
    """Return the certificates of a PEM file. Raises ConfigError."""
    needs_cryptography()
    from infra.providers.pki import pem
    from infra.providers.pki.dated import dated

    try:
        return [dated(one) for one in pem.certificates(text_of(path, "--certificate"))]
    except ValueError as error:
        problem, _, remedy = str(error).rpartition("; ")
        raise refused("--certificate", problem, remedy, str(path)) from None


def entered(path: Path) -> Sequence[Planned]:
    """Return a ledger's certificates; those of one name are counted as generations. Raises ConfigError."""
    from infra.providers.pki.rotation import Dated

    see_ledger(path)
    counts: Counter[str] = Counter()
    found = []
    for line, row in enumerate(csv.DictReader(text_of(path, "--ledger").splitlines()), 2):
        try:
            first, last = (datetime.fromisoformat(row[name]).date() for name in ("not_before", "not_after"))
            counts[row["name"]] += 1
        except (KeyError, TypeError, ValueError):
            remedy = "put back the line as `motcua ca sign` wrote it"
            raise refused("--ledger", f"line {line} is no entry", remedy, str(path)) from None
        found.append(Dated(row["name"], "client", first, last, counts[row["name"]]))
    return found


def show(rows: Sequence[Row], today: date, *, as_json: bool) -> None:
    """Print the rows as a table, or as JSON."""
    if as_json:
        print(json_text.dumps([fields(row) for row in rows], indent=2))
        return
    table = Table(title=f"Certificates on {today}", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name != "Name", overflow="fold")
    for row in rows:
        state = f"[{COLOURS[row.state]}]{row.state}[/]"
        ends = (str(row.not_after), str(row.days_left), state, renewal(row, today))
        table.add_row(row.name, row.use, str(row.generation or "–"), *ends)
    Console().print(table)


def renewal(row: Row, today: date) -> str:
    """Say from when on the next one is made."""
    if row.renew_on is None:
        return "done"
    return "now" if row.renew_on <= today else str(row.renew_on)


def fields(row: Row) -> dict[str, object]:
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
