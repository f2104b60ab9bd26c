"""`motcua cloud …`: the digital systems that the province hosts itself. Each command's body has its own module."""

from __future__ import annotations

import typer

from motcua.cli import cloud_check, cloud_diff, cloud_flows, cloud_lock, cloud_reports, cloud_size, cloud_stacks
from motcua.cli.cloud_local import start, status, stop

app = typer.Typer(no_args_is_help=True, help="The systems that the province hosts: addresses, flows, sizes, rules.")
app.command("check")(cloud_check.check)
app.command("diff")(cloud_diff.diff)
app.command("dossier")(cloud_reports.dossier)
app.command("report")(cloud_reports.report)
app.command("flows")(cloud_flows.flows)
app.command("lock")(cloud_lock.lock)
app.command("size")(cloud_size.size)
app.command("stacks")(cloud_stacks.stacks)
app.command("start")(start)
app.command("status")(status)
app.command("stop")(stop)
