"""Writes the table of operations into docs/reference/http-api.md from the OpenAPI document; the rest is by hand.

Run: python -m api.api_reference --check | --write
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from api.app import create_app
from api.openapi import summarise_operations

if TYPE_CHECKING:
    from telemetry.queries.service import Queries

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "http-api.md"
BEGIN = "<!-- Written by `python -m api.api_reference --write`; a test fails when they differ. -->"
END = "<!-- End of what is written by the command. -->"


def render_operations() -> str:
    """Return the table of all operations in Markdown, in the order of the OpenAPI document."""
    document = create_app(cast("Queries", None)).openapi()  # creating an app reads nothing
    rows = ["| path | answers | query parameters | tag |", "|---|---|---|---|"]
    for operation in summarise_operations(document):
        parameters = " ".join(f"`{name}`" for name in operation.parameters)
        summary = operation.summary.replace("|", "\\|")
        rows.append(f"| `{operation.path}` | {summary} | {parameters} | {operation.tag} |")
    return "\n".join(rows) + "\n"


def update_page(text: str) -> str:
    """Return the page with the table as it should be. Raises ValueError when the page has no place for it."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        message = f"no place for the table: write these two lines into the page:\n{BEGIN}\n{END}"
        raise ValueError(message)
    return f"{before}{begin}\n{render_operations()}\n{end}{after}"


def main(argv: list[str] | None = None, page: Path = PAGE) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m api.api_reference", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the table into docs/reference/http-api.md")
    mode.add_argument("--check", action="store_true", help="fail when the table does not match the API")
    write: bool = parser.parse_args(argv).write
    text = page.read_text(encoding="utf-8")
    updated = update_page(text)
    if write:
        page.write_text(updated, encoding="utf-8")
    elif updated != text:
        sys.stderr.write(f"{page.name} does not match the API: run python -m api.api_reference --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
