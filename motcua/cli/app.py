"""The `motcua` command: prints faults, exits 0 (done), 1 (failed) or 2 (wrong usage or configuration)."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from motcua.cli import (
    ConfigOption,
    MqttOption,
    StoreOption,
    backtest,
    ca,
    drift,
    operator_key,
    publish,
    render,
    replay,
    report,
    rotation,
)
from motcua.cli.cloud import commands as cloud
from motcua.cli.device import commands as device
from motcua.cli.extras import missing_extra
from motcua.cli.inventory import commands as inventory
from motcua.startup import load_inventory, load_settings, stored_logs, until_stopped
from telemetry import __version__
from telemetry.errors import ConfigError, InventoryError, MappingError, MotcuaError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Infrastructure and telemetry of one-stop public-service centres."
)
app.add_typer(inventory.app, name="inventory")
app.command("render")(render.render)
app.command("drift")(drift.drift)
app.command("operator-key")(operator_key.print_operator_key)
app.command("publish")(publish.publish)
app.command("report")(report.report)
app.command("replay")(replay.replay)
app.add_typer(backtest.app, name="backtest")
app.add_typer(ca.app, name="ca")
app.add_typer(cloud.app, name="cloud")
app.add_typer(device.app, name="device")
app.add_typer(rotation.app, name="rotation")
err = Console(stderr=True)


def compose_arguments(arguments: list[str]) -> list[str]:
    """Return the arguments in Unicode's composed form (NFC), as ids and names are declared; paths keep their bytes."""
    return [arg if _is_path(arg) else unicodedata.normalize("NFC", arg) for arg in arguments]


def _is_path(argument: str) -> bool:
    value = argument.partition("=")[2] if argument.startswith("-") else argument
    return "/" in value or os.path.exists(value)  # noqa: PTH110  # Path.exists raises on a long text


def main() -> NoReturn:
    """Run the command line."""
    code: object = 0
    try:
        code = app(compose_arguments(sys.argv[1:]), standalone_mode=False)
    except (ConfigError, InventoryError, MappingError) as error:
        for fault in error.faults:
            print(f"motcua: {fault}", file=sys.stderr)
        sys.exit(2)
    except MotcuaError as error:
        print(f"motcua: {error}", file=sys.stderr)
        sys.exit(1)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(1)
    except Exception as error:  # noqa: BLE001
        _exit_on_wrong_usage(error)
    # Outside standalone mode, typer returns the number of a typer.Exit.
    sys.exit(code if isinstance(code, int) else 0)


def _exit_on_wrong_usage(error: Exception) -> None:
    """Exit 2 on wrong usage or a missing extra; any other exception is a defect and is raised with its traceback."""
    if isinstance(error, ModuleNotFoundError) and (message := missing_extra(sys.argv[1:], error)):
        print(f"motcua: {message}", file=sys.stderr)
        sys.exit(2)
    console = getattr(error, "show", None)
    if console is None:
        raise error
    console()
    sys.exit(2)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def read_version_option(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, then exit.")
    ] = False,
) -> None:
    """Infrastructure and telemetry of one-stop public-service centres."""


@app.command()
def version() -> None:
    """Print the version."""
    _print_version(is_asked=True)


@app.command()
def broker(
    listen: Annotated[str, typer.Option(help="Listen on HOST:PORT.")] = "127.0.0.1:1883", config: ConfigOption = None
) -> None:
    """Run the embedded MQTT 5 broker until Ctrl-C."""
    from telemetry.config import parse_listen_address
    from telemetry.errors import BrokerUnavailable
    from telemetry.mqtt.embedded_broker import EmbeddedBroker

    load_settings(config)
    host, port = parse_listen_address(listen, "--listen")
    with until_stopped() as stop, EmbeddedBroker(host, port) as running:
        err.print(f"broker listening on {running.url}")
        while not stop.wait(0.5):
            if not running.is_alive():
                msg = "the broker process ended unexpectedly; see its message above, then start it again"
                raise BrokerUnavailable(msg)


@app.command()
def ingest(
    name: Annotated[str, typer.Option(help="Stable name of this worker; part of its MQTT client id.")] = "1",
    shared: Annotated[bool, typer.Option(help="Use a shared subscription: with two or more workers.")] = False,
    metrics: Annotated[
        str | None,
        typer.Option(envvar="MOTCUA_INGEST_METRICS", help="Serve /metrics, /healthz and /readyz on HOST:PORT."),
    ] = None,
    store: StoreOption = None,
    mqtt: MqttOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the frames of agents into the store and answer with receipts, until Ctrl-C."""
    from motcua import roles

    settings = load_settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt)
    with until_stopped() as stop:
        roles.run_ingest_role(settings, load_inventory(settings), roles.IngestOptions(name, shared, metrics), stop)


@app.command()
def rollup(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Fold all raw events again, then exit.")] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Store past months' figures and fit the wait models now, then exit.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", help="With --rebuild: start at this RFC 3339 time."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --rebuild: end at this RFC 3339 time.")] = None,
    metrics: Annotated[
        str | None,
        typer.Option(envvar="MOTCUA_ROLLUP_METRICS", help="Serve /metrics, /healthz and /readyz on HOST:PORT."),
    ] = None,
    store: StoreOption = None,
    mqtt: MqttOption = None,
    config: ConfigOption = None,
) -> None:
    """Fold changes into totals and live rows, until Ctrl-C; run exactly one per store."""
    from motcua import roles
    from motcua.startup import parse_window

    settings = load_settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt)
    current_inventory = load_inventory(settings, stored_logs(settings))
    if refit:
        from motcua.refit import refit_now

        report = refit_now(settings)
        err.print(f"{len(report.replaced)} new wait models, {len(report.unchanged)} centres as before")
        return
    if rebuild:
        with err.status("folding everything again"):
            entities = roles.rebuild_totals(settings, current_inventory, parse_window(start, end))
        err.print(f"{entities} entities folded again")
        return
    with until_stopped() as stop:
        roles.run_rollup_role(settings, current_inventory, stop, metrics)


@app.command()
def agent(
    config: Annotated[
        Path, typer.Option(help="The agent's configuration, written by `motcua inventory render`.")
    ] = Path("agent.toml"),
    root: Annotated[
        Path | None, typer.Option(help="Folder in which the configuration's absolute paths start (default: /).")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check the configuration, and print its sources.")
    ] = False,
) -> None:
    """Run the agent of one device, until Ctrl-C; sources in `agent.d/*.toml` beside its file are added or replaced."""
    from motcua.agent_process import describe_configuration, run

    if check:
        print(describe_configuration(config, root))
        return
    load_settings(None)
    with until_stopped() as stop:
        run(config, stop, root=root)


@app.command()
def api(
    listen: Annotated[str | None, typer.Option(help="Serve on HOST:PORT.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve the API and the pages from the store, until Ctrl-C."""
    from motcua import web

    settings = load_settings(config, MOTCUA_STORE=store, MOTCUA_API_LISTEN=listen)
    current_inventory = load_inventory(settings)
    with until_stopped() as stop:
        web.run_api_role(settings, current_inventory, stop, lambda url: err.print(f"serving {url}"))


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=0, max=60, help="Simulate this many past opening days.")] = 2,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Run the clock at this multiple of real time.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulation; the same seed gives the same events.")] = 2021,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages (0: any free port).")] = 8080,
    data: Annotated[Path | None, typer.Option(help="Folder of the data (default: a temporary one).")] = None,
    centres: Annotated[
        str, typer.Option(help="Use this many centres, province level first; `all` for the whole province.")
    ] = "12",
    real_time: Annotated[bool, typer.Option(help="Keep real time even when all centres are closed.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Send everything, print a summary, then exit.")] = False,
    json: Annotated[Path | None, typer.Option(help="With --once: write the summary to this JSON file.")] = None,
    config: ConfigOption = None,
) -> None:
    """Run everything for the sample province: broker, ingest, store, API, pages and all agents."""
    from motcua.demo import console
    from motcua.demo.scenario import DemoOptions

    settings = load_settings(config, MOTCUA_LOG="warning" if "MOTCUA_LOG" not in os.environ else None)
    if json is not None and not once:
        msg = "needs --once: a demo that runs until Ctrl-C writes no summary"
        raise typer.BadParameter(msg, param_hint="--json")
    options = DemoOptions(days, speed, seed, port, data, _parse_count(centres, "--centres"), real_time)
    with until_stopped() as stop:
        succeeded = console.run_demo(load_inventory(settings)(), options, stop, console.DemoEnding(once, json), err)
    if not succeeded:
        raise typer.Exit(1)


def _parse_count(text: str, option: str) -> int:
    """Return the number of a count, 0 for `all`."""
    if text == "all":
        return 0
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text!r} is no count: give a number from 1, or `all`"
        raise typer.BadParameter(msg, param_hint=option)
    return int(text)
