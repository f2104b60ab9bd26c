"""`motcua cloud start|stop|status`: the loopback servers of a running demo's hosted systems; it stops nothing else."""

from __future__ import annotations

import socket
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from motcua.report_console import open_report_console, print_table
from telemetry.errors import ConfigError, Fault, MotcuaError
from telemetry.web_address import parse_host_port

if TYPE_CHECKING:
    from motcua.local_cloud.control import CloudControl, LocalServer

ComponentArgument = Annotated[str, typer.Argument(help="The component: SYSTEM/COMPONENT, like vn83-onestop/db.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="The folder that `motcua demo --data` was given.")]
APPLIED_WITHIN_S = 10.0


def stop(component: ComponentArgument, data: DataOption = None) -> None:
    """Stop a component's server in the running demo: it refuses connections, and what calls it fails.

    Example: motcua cloud stop vn83-onestop/db
    """
    _order(component, data, is_stopped=True)


def start(component: ComponentArgument, data: DataOption = None) -> None:
    """Let a stopped component's server run again."""
    _order(component, data, is_stopped=False)


def status(data: DataOption = None) -> None:
    """List the servers of the running demo's hosted systems. They enforce nothing: no zone, no policy, no quota."""
    control = _control(data)
    shown = control.table()
    servers, stopped = shown.servers, control.stopped_nodes(shown.pid)
    table = Table(title=f"{len(servers)} loopback servers; they enforce nothing", title_justify="left")
    for heading in ("component", "kind", "address", "state"):
        table.add_column(heading)
    for path, server in sorted(servers.items()):
        state = "stopped" if server.node in stopped else "running"
        table.add_row(path, server.kind, server.address, state)
    print_table(open_report_console(), table)


def _control(data: Path | None) -> CloudControl:
    from motcua.local_cloud.control import CloudControl, control_folder

    return CloudControl(control_folder(data))


def _order(component: str, data: Path | None, *, is_stopped: bool) -> None:
    control = _control(data)
    table = control.table()
    server = table.servers.get(component)
    if server is None:
        similar = get_close_matches(component, table.servers, 3, 0.5)
        remedy = f"name one like {' or '.join(similar)}" if similar else "`motcua cloud status` lists them"
        raise ConfigError([Fault("cloud", 0, "COMPONENT", f"no server runs for a component {component!r}", remedy)])
    control.set_stopped(table.pid, server, is_stopped=is_stopped)
    _wait_until_applied(server, is_stopped=is_stopped)
    page = f"{table.url}/systems/{component.partition('/')[0]}"
    print(f"{component} is {'stopped' if is_stopped else 'running'}; within a minute {page} shows what that does")


def _wait_until_applied(server: LocalServer, *, is_stopped: bool) -> None:
    """Wait until the demo has applied an order; raises MotcuaError when it does not."""
    place = parse_host_port(server.address)
    limit = time.monotonic() + APPLIED_WITHIN_S
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if (probe.connect_ex((place.host, place.port or 0)) != 0) == is_stopped:
                return
        time.sleep(0.05)
    msg = f"the demo has not {'stopped' if is_stopped else 'started'} {server.address}: is it still running?"
    raise MotcuaError(msg)
