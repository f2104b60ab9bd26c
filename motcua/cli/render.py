"""`motcua render …`: writes what a target needs to files; it must not overwrite what it did not write."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from motcua.startup import settings_of
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan import Plan
    from motcua.stacks import Stack
    from telemetry.core.inventory import Inventory


class Target(StrEnum):
    """What can be rendered."""

    HOST = "host"
    KUBERNETES = "kubernetes"


class Rendered(NamedTuple):
    """Files by path, the mark that each of them bears, which are programs."""

    files: Mapping[str, str]
    mark: str
    programs: tuple[str, ...] = ()


def render(
    target: Annotated[
        Target,
        typer.Option(
            help="host: one server with mosquitto, InfluxDB and systemd. "
            "kubernetes: objects for `kubectl apply --server-side -k`."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; files of an earlier run are replaced, others never.")],
    inventory: Annotated[Path | None, typer.Option(help="The inventory's folder (default: MOTCUA_INVENTORY).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=9, help="host: ingest workers, named 1, 2, …")] = 1,
    broker: Annotated[
        str,
        typer.Option(
            help="host: also write every device's agent.toml for this broker, e.g. mqtts://mqtt.example:8883."
        ),
    ] = "",
    program: Annotated[
        str, typer.Option(help="host: where `motcua` will be on the machines.")
    ] = "/opt/motcua/bin/motcua",
    stack_file: Annotated[
        Path | None,
        typer.Option(help="The stack's Pulumi.NAME.yaml (default: the shipped one; host: one machine in production)."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
) -> None:
    """Write a target's files: broker, access rules, settings, units or objects, backup.

    Nothing is installed or started, no secret is written; `docs/operate.md` says where each file belongs.
    """
    from telemetry import inventory as declared

    folder = inventory or settings_of(config).inventory
    if target is Target.HOST and stack_file is None:
        world = declared.load(folder or declared.default_path())
        made = _host(world, workers, broker, program)
    else:
        stack = stack_of(target, stack_file, folder)
        world, made = stack.inventory, _stack(target, stack, (max(workers, stack.options.workers), broker, program))
    check_free(out, made.files, made.mark)
    write(out, made)
    forget(out, made)
    print(f"{len(made.files)} {'file' if len(made.files) == 1 else 'files'} in {out} from inventory {world.version}")


def _host(world: Inventory, workers: int, broker: str, program: str, plan: Plan | None = None) -> Rendered:
    from infra.host.bundle import MARK, PROGRAMS, bundle
    from infra.host.units import Layout

    check_address(broker)
    layout = Layout(program, tuple(str(number) for number in range(1, workers + 1)))
    return Rendered(bundle(world, layout, broker, plan), MARK, PROGRAMS)


def stack_of(target: Target, file: Path | None, folder: Path | None) -> Stack:
    """Return the stack of a file, or of the shipped one. Raises ConfigError: it has faults or is another target's."""
    import infra
    from infra.config.stack_file import said
    from motcua.stacks import opened

    path = file or Path(infra.__path__[0]) / "stacks" / f"Pulumi.{target.value}.yaml"
    (found,) = opened([path], folder, datetime.now(UTC).date())
    if found.options.target != target.value and target is not Target.HOST:
        problem, remedy = f"is {found.options.target}, not {target.value}", "name the stack file of that target"
        raise ConfigError([Fault(str(path), said(path, "target")[1], "motcua:target", problem, remedy)])
    return found


def _stack(target: Target, stack: Stack, machine: tuple[int, str, str]) -> Rendered:
    if target is Target.HOST:
        workers, broker, program = machine
        return _host(stack.inventory, workers, broker, program, stack.plan)
    from infra.targets.kubernetes import kustomize
    from telemetry.inventory.carried import carried

    return Rendered(kustomize.files(stack.plan, stack.options, carried(stack.folder)), kustomize.MARK)


def forget(out: Path, made: Rendered) -> None:
    """Remove objects that an earlier run wrote and this one does not: they would be applied with the others."""
    for path in out.glob("[0-9][0-9][0-9]-*.yaml"):
        if path.name not in made.files and _ours(path, made.mark):
            path.unlink()


def check_address(broker: str) -> None:
    """Refuse an address under which agents would not meet the broker with their certificates. Raises ConfigError."""
    from telemetry.mqtt.address import address

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


def write(out: Path, made: Rendered) -> None:
    """Write all files. Raises ConfigError when the folder cannot be written."""
    try:
        for name, text in made.files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if name in made.programs else 0o644)
    except OSError as error:
        fault = Fault(str(error.filename or out), 0, "--out", str(error.strerror), "name a folder that you may write")
        raise ConfigError([fault]) from error
