"""`motcua render …`: writes what a target needs to files; it must not overwrite what it did not write."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.startup import settings_of
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping


class Target(StrEnum):
    """What can be rendered."""

    HOST = "host"


def render(
    target: Annotated[Target, typer.Option(help="host: one server with mosquitto, InfluxDB and systemd.")],
    out: Annotated[Path, typer.Option(help="Folder to write; files of an earlier run are replaced, others never.")],
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: MOTCUA_INVENTORY).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=9, help="Ingest workers on the server, named 1, 2, …")] = 1,
    broker: Annotated[
        str, typer.Option(help="Also write every device's agent.toml for this broker, e.g. mqtts://mqtt.example:8883.")
    ] = "",
    program: Annotated[str, typer.Option(help="Where `motcua` will be on the machines.")] = "/opt/motcua/bin/motcua",
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
) -> None:
    """Write a target's configuration files: broker, access rules, systemd units, settings, backup.

    Nothing is installed or started; `docs/operate.md` says where each file belongs.
    """
    from infra.host.bundle import MARK, PROGRAMS, bundle
    from infra.host.units import Layout
    from telemetry import inventory as declared

    del target
    world = declared.load(inventory or settings_of(config).inventory or declared.default_path())
    layout = Layout(program, tuple(str(number) for number in range(1, workers + 1)))
    check_address(broker)
    files = bundle(world, layout, broker)
    check_free(out, files, MARK)
    write(out, files, PROGRAMS)
    print(f"{len(files)} files in {out} from inventory {world.version}")


def check_address(broker: str) -> None:
    """Refuse an address under which agents would not meet the broker with their certificates. Raises ConfigError."""
    from telemetry.address import address

    try:
        good = not broker or address(broker).tls
    except ConfigError:
        good = False
    if not good:
        remedy = "write mqtts://HOST:PORT; HOST as in the broker's certificate"
        raise ConfigError([Fault("command line", 0, "--broker", f"not an MQTT address with TLS: {broker!r}", remedy)])


def check_free(out: Path, files: Mapping[str, str], mark: str) -> None:
    """Refuse files that this command did not write. Raises ConfigError naming all of them."""
    remedy = "move it away, or name another folder with --out"
    faults = [
        Fault(str(out / name), 1, "--out", "exists and was not written by this command", remedy)
        for name in files
        if (out / name).exists() and not _ours(out / name, mark)
    ]
    if faults:
        raise ConfigError(faults)


def _ours(path: Path, mark: str) -> bool:
    try:
        return mark in path.read_text(encoding="utf-8")[:400]
    except (OSError, UnicodeDecodeError):
        return False


def write(out: Path, files: Mapping[str, str], programs: tuple[str, ...]) -> None:
    """Write all files. Raises ConfigError when the folder cannot be written."""
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if name in programs else 0o644)
    except OSError as error:
        fault = Fault(str(error.filename or out), 0, "--out", str(error.strerror), "name a folder that you may write")
        raise ConfigError([fault]) from error
