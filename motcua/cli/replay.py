"""`motcua replay`: its options, its check without an import, its report; the import itself is `motcua/replay.py`."""

from __future__ import annotations

from dataclasses import replace as copy_with
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from motcua.cli import ConfigOption, StoreOption
from motcua.startup import load_inventory, load_settings, stored_logs

err = Console(stderr=True)
FAULTY_FILE = 2


def replay(
    file: Annotated[Path, typer.Argument(help="The log: CSV or TSV with a header line, JSON lines, or .xlsx.")],
    mapping: Annotated[str, typer.Option(help="Name of a shipped mapping, or path of a mapping file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the file and print what it has; needs no store and no broker.")
    ] = False,
    centre: Annotated[str, typer.Option(help="Centre id to import into (default: the mapping's own centre).")] = "",
    speed: Annotated[str, typer.Option(help="Multiple of real time, or max: as fast as possible.")] = "max",
    store: StoreOption = None,
    mqtt: Annotated[
        str | None, typer.Option(help="Use this broker, with ingest and rollup running (default: start all three).")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this JSON file (-: standard output).")] = None,
    resend_after: Annotated[float, typer.Option(help="Resend a row without a receipt after this many seconds.")] = 20.0,
    config: ConfigOption = None,
) -> None:
    """Send a historical log through a real agent and broker; a ticket that is stored already is recognised.

    Exit 0: imported (--dry-run: no fault), 1: failed or rows refused, 2: faults in file, mapping or options.
    """
    from edge_agent.mapping.importer import import_centre
    from motcua import replay as run, replay_report

    settings = load_settings(config, MOTCUA_STORE=store)
    job = run.parse_job(file, mapping, centre, (settings.store, mqtt), speed)
    job = copy_with(job, resend_ms=int(resend_after * 1000), token=settings.store_token)
    if centre and not dry_run:
        run.check_centre(job, load_inventory(settings, [import_centre(job.mapping)])())
    log = run.check_file(job, err)
    if dry_run:
        # With the JSON on standard output the table goes to standard error.
        replay_report.print_check(log, err if json is not None and str(json) == "-" else Console())
        if json is not None:
            replay_report.write_json(json, replay_report.check_json(log))
        raise typer.Exit(FAULTY_FILE if log.check.faults.count else 0)
    log.raise_faults()
    own = run.own_centre(job, log)
    logs = (*stored_logs(settings), *((own,) if own else ()))
    result = run.run_replay(job, load_inventory(settings, logs), err, log)
    report = result.as_json(settings.store, "{}:{}".format(*settings.listen))
    if json is not None:
        replay_report.write_json(json, report)
    replay_report.print_result(result, report, err, own)
    if result.refused:
        raise typer.Exit(1)
