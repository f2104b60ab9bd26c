"""The `motcua` command: reads the environment, names faults, exits 0 done, 1 failed, 2 wrong usage or configuration."""

from __future__ import annotations

import os
import signal
import sys
import threading
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import structlog
import typer
from rich.console import Console

from telemetry import __version__
from telemetry.errors import ConfigError, InventoryError, MappingError, MotcuaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.config import Settings
    from telemetry.core.inventory import Inventory

app = typer.Typer(no_args_is_help=True, add_completion=False, help="One-stop public-service centres: telemetry and IaC.")
inventory_app = typer.Typer(no_args_is_help=True, help="Check, show and render the declared world.")
app.add_typer(inventory_app, name="inventory")
err = Console(stderr=True)
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings (they win over MOTCUA_…).")]


def main() -> NoReturn:
    """Run the command line."""
    try:
        app(standalone_mode=False)
    except (ConfigError, InventoryError, MappingError) as error:
        for fault in error.faults:
            print(f"motcua: {fault}", file=sys.stderr)
        sys.exit(2)
    except MotcuaError as error:
        print(f"motcua: {error}", file=sys.stderr)
        sys.exit(1)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except typer.Abort:
        sys.exit(1)
    except Exception as error:
        _usage(error)
    sys.exit(0)


def _usage(error: Exception) -> None:
    """Exit 2 on wrong usage; anything else is a defect and shows where."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    sys.exit(2)


def _settings(config: Path | None, **given: str | None) -> Settings:
    from telemetry.config import settings
    from telemetry.errors import Fault

    values: dict[str, object] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError([Fault(str(config), 0, "--config", str(error), "name a readable TOML file")]) from error
    values |= {name: value for name, value in given.items() if value is not None}
    found = settings(os.environ, values, str(config or ""))
    _log_to(found.log)
    return found


def _log_to(level: str) -> None:
    import logging

    renderer: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if level.endswith("json"):
        renderer = structlog.processors.JSONRenderer()
    number = getattr(logging, level.removesuffix("json").strip(":- ").upper() or "INFO", logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _inventory(found: Settings, extra: str | None = None) -> Callable[[], Inventory]:
    """Load the inventory now, so that a fault stops the command, and follow its files afterwards."""
    from edge_agent import mapping
    from telemetry import inventory

    names = [*mapping.shipped(), *([extra] if extra and extra not in mapping.shipped() else [])]
    imports = {centre.id: centre for centre in (mapping.centre_of(mapping.load_mapping(name)) for name in names)}
    folder = found.inventory or inventory.default_path()
    return inventory.Reloading(folder, imports=tuple(imports.values())).current


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """Give a signal that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    previous = [(s, signal.signal(s, lambda *_: stop.set())) for s in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@app.command()
def broker(
    listen: Annotated[str, typer.Option(help="HOST:PORT to listen on.")] = "127.0.0.1:1883", config: Config = None
) -> None:
    """Run the embedded MQTT 5 broker until Ctrl-C."""
    from telemetry.broker import EmbeddedBroker
    from telemetry.config import settings
    from telemetry.errors import BrokerUnavailable

    _settings(config)
    host, port = settings({"MOTCUA_API_LISTEN": listen}).listen
    with _until_stopped() as stop, EmbeddedBroker(host, port) as running:
        err.print(f"broker listening on {running.url}")
        while not stop.wait(0.5):
            if not running.alive():
                msg = "the broker process ended; see its message above"
                raise BrokerUnavailable(msg)


@app.command()
def ingest(
    name: Annotated[str, typer.Option(help="This worker's stable name.")] = "1",
    shared: Annotated[bool, typer.Option(help="One of two or more workers (shared subscription).")] = False,  # noqa: FBT002
    store: Annotated[str | None, typer.Option(help="Store URL.")] = None,
    mqtt: Annotated[str | None, typer.Option(help="Broker URL.")] = None,
    config: Config = None,
) -> None:
    """Write agents' frames into the store and answer with receipts, until Ctrl-C."""
    from motcua.clocks import wall_ms
    from telemetry import roles, wiring
    from telemetry.ingest import Ingest

    found = _settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt)
    world, kept = _inventory(found), wiring.open_store(found.store)
    worker = Ingest(kept, world, wall_ms)
    with _until_stopped() as stop:
        roles.run_ingest(worker, roles.ingest_link(found.mqtt, name, shared=shared, ingest=worker), stop)
    kept.close()


@app.command()
def rollup(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Fold everything again and end.")] = False,  # noqa: FBT002
    start: Annotated[str | None, typer.Option("--from", help="With --rebuild: from this RFC 3339 time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --rebuild: to this RFC 3339 time.")] = None,
    store: Annotated[str | None, typer.Option(help="Store URL.")] = None,
    mqtt: Annotated[str | None, typer.Option(help="Broker URL.")] = None,
    config: Config = None,
) -> None:
    """Fold changes into totals and live rows, until Ctrl-C; exactly one per store."""
    from motcua.clocks import wall_ms
    from motcua.times import window_of
    from telemetry import roles, wiring
    from telemetry.rollup import Rollup

    found = _settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt)
    world, kept = _inventory(found), wiring.open_store(found.store)
    folding = Rollup(kept, world, wall_ms)
    if rebuild:
        with err.status("folding everything again"):
            units = folding.rebuild(window_of(start, end))
        err.print(f"{units} units folded again")
        kept.close()
        return
    inbox = roles.StateInbox()
    with _until_stopped() as stop:
        roles.run_rollup(folding, roles.rollup_link(found.mqtt, inbox), inbox, stop)
    kept.close()


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="The log, CSV or TSV.")],
    mapping: Annotated[str, typer.Option(help="A shipped mapping's name, or a mapping file.")],
    centre: Annotated[str, typer.Option(help="Centre to import into; the mapping's own by default.")] = "",
    speed: Annotated[str, typer.Option(help="Times real time, or max.")] = "max",
    store: Annotated[str | None, typer.Option(help="Store URL.")] = None,
    mqtt: Annotated[str | None, typer.Option(help="Use this broker, with ingest and rollup already running.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
    resend_after: Annotated[float, typer.Option(help="Seconds until a row without receipt is sent again.")] = 20.0,
    config: Config = None,
) -> None:
    """Feed a historical log through a real agent and broker; doing it twice changes nothing."""
    from dataclasses import replace

    from motcua import replay as run

    found = _settings(config, MOTCUA_STORE=store)
    job = replace(run.job_of(file, mapping, centre, (found.store, mqtt), speed), resend_ms=int(resend_after * 1000))
    world = _inventory(found, mapping)
    run.check_centre(job, world())
    report = run.replay(job, world, err)
    if json is not None:
        run.write_json(json, report)
    skipped = ", ".join(f"{n} {label} rows skipped" for label, n in report["skipped"].items()) or "no row skipped"  # type: ignore[attr-defined]
    err.print(
        f"{report['rows']} rows, {skipped}; {report['events']} events: {report['new']} new, "
        f"{report['repeated']} already stored, {report['refused']} refused; {report['seconds']} s"
    )
    if report["refused"]:
        raise typer.Exit(1)


@app.command()
def agent(file: Annotated[Path, typer.Argument(help="agent.toml, written by `motcua inventory render`.")]) -> None:
    """Run one device's agent until Ctrl-C."""
    from motcua.device import run

    _settings(None)
    with _until_stopped() as stop:
        run(file, stop)


@app.command()
def api(
    listen: Annotated[str | None, typer.Option(help="HOST:PORT to serve on.")] = None,
    store: Annotated[str | None, typer.Option(help="Store URL.")] = None,
    config: Config = None,
) -> None:
    """Serve the API and the pages from the store, until Ctrl-C."""
    from motcua import web
    from motcua.clocks import wall_ms
    from telemetry import wiring

    found = _settings(config, MOTCUA_STORE=store, MOTCUA_API_LISTEN=listen)
    world, kept = _inventory(found), wiring.open_store(found.store)
    err.print(f"serving http://{found.listen[0]}:{found.listen[1]}/")
    web.run(kept, world, wall_ms, found.listen)
    kept.close()


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=0, max=60, help="Simulated days behind it.")] = 2,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How many times as fast as real time.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another seed, another plausible province.")] = 2021,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port.")] = 8080,
    data: Annotated[Path | None, typer.Option(help="Keep outboxes and store here (default: a folder that goes).")] = None,
    centres: Annotated[int, typer.Option(min=0, help="How many centres, province first (0: all).")] = 0,
    real_time: Annotated[bool, typer.Option(help="Keep the real time even when all centres are closed.")] = False,  # noqa: FBT002
    once: Annotated[bool, typer.Option("--once", help="End by itself with a summary.")] = False,  # noqa: FBT002
    json: Annotated[Path | None, typer.Option(help="With --once: write the summary here.")] = None,
    config: Config = None,
) -> None:
    """Run everything for the sample province: broker, ingest, store, API, page and a fleet of agents."""
    from motcua import show
    from motcua.demo import Knobs

    found = _settings(config, MOTCUA_LOG="warning" if "MOTCUA_LOG" not in os.environ else None)
    knobs = Knobs(days, speed, seed, port, data, centres, real_time)
    with _until_stopped() as stop:
        good = show.run(_inventory(found)(), knobs, stop, show.Ending(once, json), err)
    if not good:
        raise typer.Exit(1)


@inventory_app.command("check")
def inventory_check(folder: Annotated[Path | None, typer.Argument(help="The inventory's folder.")] = None) -> None:
    """Name every fault with file and line; exit 2 when there are any."""
    from telemetry import inventory

    found = inventory.load(folder or _settings(None).inventory or inventory.default_path())
    agents = sum(device.kind != "replay" for device in found.devices.values())
    print(f"{found.name_en}: {len(found.centres)} centres, {agents} devices, {len(found.systems)} systems, no fault")


@inventory_app.command("show")
def inventory_show(
    ident: Annotated[str, typer.Argument(help="A centre, device, system or service id.")], config: Config = None
) -> None:
    """Show what is declared under an id."""
    found = _inventory(_settings(config))()
    for kind in (found.centres, found.devices, found.systems, found.services, found.units):
        if ident in kind:
            err.print(kind[ident])
            return
    from telemetry.errors import Fault

    remedy = "see `motcua inventory graph`"
    raise ConfigError([Fault("command line", 0, "ID", f"nothing is declared as {ident!r}", remedy)])


@inventory_app.command("graph")
def inventory_graph(config: Config = None) -> None:
    """Print the tree as Graphviz text (motcua inventory graph | dot -Tsvg)."""
    from telemetry.inventory_render import graph

    print(graph(_inventory(_settings(config))()))


@inventory_app.command("render")
def inventory_render(
    device: Annotated[str, typer.Option(help="The device's id.")],
    mqtt: Annotated[str, typer.Option(help="Broker URL for the agent.")] = "mqtt://127.0.0.1:1883",
    config: Config = None,
) -> None:
    """Print a device's agent.toml."""
    from telemetry.inventory_render import render_agent

    print(render_agent(_inventory(_settings(config))(), device, mqtt=mqtt), end="")
