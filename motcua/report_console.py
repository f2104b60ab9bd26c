"""The console of reports: tables that lose no id or figure in a narrow terminal or a pipe. It must not format cells."""

from __future__ import annotations

import os

from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 1000
"""Columns of standard output that is no terminal: a row stays one line, as `grep` and `awk` need it."""


def open_report_console() -> Console:
    """Return a console on standard output: as wide as the terminal or COLUMNS says, and in a pipe as wide as a row."""
    console = Console()
    return console if console.is_terminal or os.environ.get("COLUMNS") else Console(width=PIPED_WIDTH)


def print_table(console: Console, table: Table) -> None:
    """Print a table; where it needs more columns than there are, the terminal breaks its lines and nothing is cut."""
    least = console.measure(table, options=console.options.update(width=PIPED_WIDTH)).minimum
    width, console.width = console.width, max(console.width, least)
    console.print(table)
    console.width = width
