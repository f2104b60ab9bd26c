"""`motcua cloud …`: the digital systems that the province hosts itself. Each command's body has its own module."""

from __future__ import annotations

import typer

from motcua.cli.cloud import check, diff, flows, lock, reports, size, stacks
from motcua.cli.cloud.local import start, status, stop

app = typer.Typer(no_args_is_help=True, help="The systems that the province hosts: addresses, flows, sizes, rules.")
app.command("check")(check.check)
app.command("diff")(diff.diff)
app.command("dossier")(reports.dossier)
app.command("report")(reports.report)
app.command("flows")(flows.flows)
app.command("lock")(lock.lock)
app.command("size")(size.size)
app.command("stacks")(stacks.stacks)
app.command("start")(start)
app.command("status")(status)
app.command("stop")(stop)
