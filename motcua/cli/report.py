"""`motcua report MONTH --out FILE.pdf`: writes a monthly report as a PDF or as HTML; it must not publish it."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import typer

from motcua.cli import ConfigOption, StoreOption
from motcua.startup import load_inventory, load_settings
from telemetry.errors import ConfigError, Fault


def report(
    month: Annotated[str, typer.Argument(help="Month in local time, e.g. 2026-10.")],
    out: Annotated[Path, typer.Option(help="The file: .pdf, or .html for a document to be printed.")],
    store: StoreOption = None,
    centre: Annotated[str | None, typer.Option(help="One centre's report instead of the province's.")] = None,
    lang: Annotated[Literal["vi", "en"], typer.Option(help="Language of the report.")] = "vi",
    config: ConfigOption = None,
) -> None:
    """Write a month's report: as it was published, else as the store gives it now.

    Example: motcua report 2026-10 --out report-2026-10.pdf
    """
    if out.suffix not in {".pdf", ".html"}:
        raise ConfigError([Fault("command line", 0, "--out", f"{out} is no .pdf and no .html", "name such a file")])
    settings = load_settings(config, MOTCUA_STORE=store)
    inventory = load_inventory(settings)

    from api.pages.reports.document import report_document
    from api.report_pdf import render_in_process
    from telemetry.queries.service import Queries
    from telemetry.wiring import open_store

    with closing(open_store(settings.store, settings.store_token, create=False)) as connection:
        queries = Queries(connection, inventory, lambda: time.time_ns() // 1_000_000)
        html = report_document(queries, month, centre, lang)
    content = html.encode() if out.suffix == ".html" else render_in_process(html)
    try:
        out.write_bytes(content)
    except OSError as error:
        fault = Fault(str(out), 0, "file", f"cannot be written ({error.strerror})", "name another file with --out")
        raise ConfigError([fault]) from error
    print(f"{out}: {len(content):,} bytes")
