"""`motcua render …`: writes the files of a target; it must not overwrite files that it did not write."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from motcua.cli import ConfigOption
from motcua.startup import load_settings
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan import StackPlan
    from motcua.stacks import OpenedStack
    from telemetry.core.inventory import Inventory


class RenderTarget(StrEnum):
    """The targets that can be rendered."""

    HOST = "host"
    KUBERNETES = "kubernetes"


class RenderedFiles(NamedTuple):
    """Files by path, the header that identifies them, and which are executable."""

    files: Mapping[str, str]
    marker: str
    programs: tuple[str, ...] = ()


def render(
    target: Annotated[
        RenderTarget,
        typer.Option(
            help="host: one server with mosquitto, InfluxDB and systemd. "
            "kubernetes: objects for `kubectl apply --server-side -k`."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Output folder; only files of an earlier run are replaced.")],
    inventory: Annotated[Path | None, typer.Option(help="Folder of the inventory (default: MOTCUA_INVENTORY).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=9, help="host: number of ingest workers, named 1, 2, …")] = 1,
    broker: Annotated[
        str,
        typer.Option(help="host: also write all agent.toml files for this broker, e.g. mqtts://mqtt.example:8883."),
    ] = "",
    program: Annotated[str, typer.Option(help="host: path of `motcua` on the machines.")] = "/opt/motcua/bin/motcua",
    stack_file: Annotated[
        Path | None,
        typer.Option(help="Stack file Pulumi.NAME.yaml (default: the shipped one; host: one machine in production)."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write the files of a target: broker, access rules, settings, units or objects, backup.

    Nothing is installed or started, and no secret is written; `docs/how-to/install-one-server.md` lists where each
    file belongs.
    """
    from telemetry import inventory as declared

    folder = inventory or load_settings(config).inventory
    if target is RenderTarget.HOST and stack_file is None:
        loaded = declared.load(folder or declared.default_path())
        rendered = _render_host(loaded, workers, broker, program)
    else:
        stack = load_stack(target, stack_file, folder)
        loaded, rendered = (
            stack.inventory,
            _render_stack(target, stack, (max(workers, stack.options.workers), broker, program)),
        )
    check_overwrites(out, rendered.files, rendered.marker)
    write_files(out, rendered)
    remove_stale_files(out, rendered)
    print(
        f"{len(rendered.files)} {'file' if len(rendered.files) == 1 else 'files'} in {out} from "
        f"inventory {loaded.version}"
    )


def _render_host(
    inventory: Inventory, workers: int, broker: str, program: str, plan: StackPlan | None = None
) -> RenderedFiles:
    from infra.host.bundle import EXECUTABLE_FILES, HEADER_PREFIX, render_bundle
    from infra.host.systemd_units import HostLayout

    check_broker_address(broker)
    layout = HostLayout(program, tuple(str(number) for number in range(1, workers + 1)))
    return RenderedFiles(render_bundle(inventory, layout, broker, plan), HEADER_PREFIX, EXECUTABLE_FILES)


def load_stack(target: RenderTarget, file: Path | None, folder: Path | None) -> OpenedStack:
    """Return the stack of a file, else the shipped one. Raises ConfigError for faults or another target."""
    import infra
    from infra.config.stack_file import value_and_line
    from motcua.stacks import open_stacks

    path = file or Path(infra.__path__[0]) / "stacks" / f"Pulumi.{target.value}.yaml"
    (stack,) = open_stacks([path], folder, datetime.now(UTC).date())
    if stack.options.target != target.value and target is not RenderTarget.HOST:
        problem, remedy = f"is {stack.options.target}, not {target.value}", "give the stack file of that target"
        raise ConfigError([Fault(str(path), value_and_line(path, "target")[1], "motcua:target", problem, remedy)])
    return stack


def _render_stack(target: RenderTarget, stack: OpenedStack, machine: tuple[int, str, str]) -> RenderedFiles:
    if target is RenderTarget.HOST:
        workers, broker, program = machine
        return _render_host(stack.inventory, workers, broker, program, stack.plan)
    from infra.targets.kubernetes import kustomize
    from telemetry.inventory.files import bundle_files

    files = kustomize.kustomize_files(stack.plan, stack.options, bundle_files(stack.folder))
    return RenderedFiles(files, kustomize.HEADER_PREFIX)


def remove_stale_files(out: Path, rendered: RenderedFiles) -> None:
    """Remove objects of an earlier run that this one did not write: they would be applied with the others."""
    for path in out.glob("[0-9][0-9][0-9]-*.yaml"):
        if path.name not in rendered.files and _is_own_file(path, rendered.marker):
            path.unlink()


def check_broker_address(broker: str) -> None:
    """Refuse an address at which agents could not use their certificates. Raises ConfigError."""
    from telemetry.mqtt.address import parse_broker_url

    try:
        is_valid = not broker or parse_broker_url(broker).tls
    except ConfigError:
        is_valid = False
    if not is_valid:
        remedy = "write mqtts://HOST:PORT; HOST as in the broker's certificate"
        raise ConfigError([Fault("command line", 0, "--broker", f"not an MQTT address with TLS: {broker!r}", remedy)])


def check_overwrites(out: Path, files: Mapping[str, str], marker: str) -> None:
    """Refuse to overwrite files that this command did not write. Raises ConfigError with all of them."""
    remedy = "move it away, or give another folder with --out"
    faults = [
        Fault(str(out / name), 1, "--out", "exists and was not written by this command", remedy)
        for name in files
        if (out / name).exists() and not _is_own_file(out / name, marker)
    ]
    if faults:
        raise ConfigError(faults)


def _is_own_file(path: Path, marker: str) -> bool:
    try:
        return marker in path.read_text(encoding="utf-8")[:400]
    except (OSError, UnicodeDecodeError):
        return False


def write_files(out: Path, rendered: RenderedFiles) -> None:
    """Write all files. Raises ConfigError when the folder cannot be written."""
    try:
        for name, text in rendered.files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if name in rendered.programs else 0o644)
    except OSError as error:
        fault = Fault(str(error.filename or out), 0, "--out", str(error.strerror), "give a folder that you may write")
        raise ConfigError([fault]) from error
