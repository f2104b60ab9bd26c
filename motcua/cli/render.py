"""`motcua render …`: writes the files of a target; it must not overwrite files that it did not write."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.cli import ConfigOption
from motcua.cli.rendered_files import RenderedFiles, replace_files
from motcua.startup import load_settings
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from infra.plan import StackPlan
    from motcua.stacks import OpenedStack
    from telemetry.core.inventory import Inventory


class RenderTarget(StrEnum):
    """The targets that can be rendered."""

    HOST = "host"
    LOCAL = "local"
    KUBERNETES = "kubernetes"
    OPENSTACK = "openstack"


class RenderedPart(StrEnum):
    """The parts of the province's cloud that have shipped stack files."""

    GROUND = "ground"
    HOSTED = "hosted"


TargetOption = Annotated[
    RenderTarget,
    typer.Option(
        help="host: one server with mosquitto, InfluxDB and systemd. kubernetes: objects for "
        "`kubectl apply --server-side -k`. "
        "local, openstack: only the devices; `pulumi up` makes the rest. With --part, or a stack file whose "
        "cloud.part is ground or hosted: the province's cloud, to review: kubernetes its objects, openstack a "
        "document for each project, local both, with every rule run."
    ),
]
BrokerOption = Annotated[
    str,
    typer.Option(
        help="Broker of the devices' agent.toml files, e.g. mqtts://mqtt.example:8883 (default: that of the stack "
        "file; host without a stack file: no such files are written)."
    ),
]
DrillOption = Annotated[
    str, typer.Option(help="kubernetes, cloud.part hosted: only a restore drill of the hosted system with this id.")
]
PartOption = Annotated[
    RenderedPart | None,
    typer.Option(help="local, kubernetes: the shipped stack file of this part of the province's cloud."),
]


def render(
    target: TargetOption,
    out: Annotated[Path, typer.Option(help="Output folder; only files of an earlier run are replaced.")],
    inventory: Annotated[Path | None, typer.Option(help="Folder of the inventory (default: MOTCUA_INVENTORY).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=9, help="host: number of ingest workers, named 1, 2, …")] = 1,
    broker: BrokerOption = "",
    program: Annotated[str, typer.Option(help="host: path of `motcua` on the machines.")] = "/opt/motcua/bin/motcua",
    stack_file: Annotated[
        Path | None,
        typer.Option(help="Stack file Pulumi.NAME.yaml (default: the shipped one; host: one machine in production)."),
    ] = None,
    part: PartOption = None,
    drill: DrillOption = "",
    config: ConfigOption = None,
) -> None:
    """Write the files of a target: broker, access rules, settings, units or objects, backup.

    Nothing is installed or started, and no secret is written; `docs/how-to/install-one-server.md` lists where each
    file belongs.
    """
    from telemetry import inventory as declared

    check_broker_address(broker)
    folder = inventory or load_settings(config).inventory
    check_drill_target(drill, is_hosted=target is RenderTarget.KUBERNETES)
    stack_file = stack_file_of_part(target, part, stack_file) if part else stack_file
    if target is RenderTarget.HOST and stack_file is None:
        loaded = declared.load(folder or declared.default_path())
        rendered = _render_host(loaded, workers, broker, program)
    else:
        stack = load_stack(target, stack_file, folder)
        loaded = stack.inventory
        broker = broker or f"mqtts://{stack.options.broker.host}:{stack.options.broker.port}"
        workers = max(workers, stack.options.workers)
        rendered = (
            _render_host(loaded, workers, broker, program, stack.plan)
            if target is RenderTarget.HOST
            else _render_stack(target, stack, broker, drill)
        )
    replace_files(out, rendered)
    if broker and rendered.broker_port:
        _print_port_difference(broker, rendered.broker_port)
    _print_outcome(len(rendered.files), out, loaded, has_devices=bool(broker))


def _print_port_difference(broker: str, listener_port: int) -> None:
    """Print when `--broker` has another port than the server's mosquitto: that works only where a port is forwarded."""
    from telemetry.mqtt.address import parse_broker_url

    port = parse_broker_url(broker).port
    if port != listener_port:
        print(
            f"note: the devices connect to port {port}, the server's mosquitto listens on {listener_port}: forward the "
            f"port, or set `motcua:broker` to `{{port: {port}}}` in a stack file and give it with --stack-file"
        )


def _print_outcome(count: int, out: Path, inventory: Inventory, *, has_devices: bool) -> None:
    """Print what was written and what was not; the last word is the inventory's version."""
    if not has_devices:
        agents = sum(device.kind != "replay" for device in inventory.devices.values())
        print(f"left out: agent.toml of {agents} devices; give --broker mqtts://HOST:8883, or --stack-file FILE")
    print(f"{count} {'file' if count == 1 else 'files'} in {out} from inventory {inventory.version}")


def _render_host(
    inventory: Inventory, workers: int, broker: str, program: str, plan: StackPlan | None = None
) -> RenderedFiles:
    from infra.host.bundle import DEVICE_HEADER, EXECUTABLE_FILES, HEADER_PREFIX, render_bundle
    from infra.host.mosquitto import DEFAULT_PORT
    from infra.host.systemd_units import HostLayout

    layout = HostLayout(program, tuple(str(number) for number in range(1, workers + 1)))
    port = plan.broker.listeners[0].port if plan else DEFAULT_PORT
    files = render_bundle(inventory, layout, broker, plan)
    return RenderedFiles(files, (HEADER_PREFIX, DEVICE_HEADER), EXECUTABLE_FILES, port)


def stack_file_of_part(target: RenderTarget, part: RenderedPart, given: Path | None) -> Path:
    """Return the shipped stack file of a part of the province's cloud.

    Raises ConfigError when there is none, or when another one is given.
    """
    import infra
    from motcua.cli.cloud.rendered_parts import SHIPPED_PARTS

    name = SHIPPED_PARTS.get((target.value, part.value))
    if given is not None:
        problem, remedy = "is for a shipped stack file", "leave it out: cloud.part of the stack file says it"
    elif name is None:
        problem = f"has no shipped stack file for target {target.value}"
        remedy = "give yours with --stack-file, or the target local or kubernetes"
    else:
        return Path(infra.__path__[0]) / "stacks" / f"Pulumi.{name}.yaml"
    raise ConfigError([Fault("command line", 0, "--part", problem, remedy)])


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


def check_drill_target(drill: str, *, is_hosted: bool) -> None:
    """Refuse a drill of anything but hosted systems on Kubernetes. Raises ConfigError."""
    if drill and not is_hosted:
        remedy = "give --target kubernetes, and with --stack-file one whose cloud.part is hosted"
        raise ConfigError([Fault("command line", 0, "--drill", "is of hosted systems on Kubernetes", remedy)])


def _render_stack(target: RenderTarget, stack: OpenedStack, broker: str, drill: str) -> RenderedFiles:
    """Return a target's objects, if it has any as files, and its devices' files."""
    from infra.host.bundle import device_files
    from infra.targets.kubernetes.kustomize import kustomize_files
    from telemetry.inventory.files import bundle_files

    check_drill_target(drill, is_hosted=stack.options.cloud.part == "hosted")
    if stack.options.cloud.part != "motcua":
        from infra.config.stack_file import locate_faults
        from motcua.cli.cloud.rendered_parts import render_cloud

        try:
            return render_cloud(stack, drill)
        except ConfigError as error:
            raise ConfigError(locate_faults(Path(stack.name), error.faults)) from None
    command = f"# Written by `motcua render --target {target.value}`"
    # Objects, and devices' files of earlier versions of this command, name the inventory.
    markers = (f"{command} from inventory ", f"{command}.")
    devices = device_files(stack.inventory, f"{command}.", broker)
    if target is RenderTarget.KUBERNETES:
        objects = kustomize_files(stack.plan, stack.options, bundle_files(stack.folder))
        return RenderedFiles(objects | devices, markers)
    return RenderedFiles(devices, markers)


def check_broker_address(broker: str) -> None:
    """Refuse an address at which agents could not use their certificates. Raises ConfigError."""
    from telemetry.mqtt.address import parse_broker_url
    from telemetry.url_credentials import hide_credentials

    try:
        is_valid = not broker or parse_broker_url(broker).tls
    except ConfigError:
        is_valid = False
    if not is_valid:
        problem = f"not an MQTT address with TLS: {hide_credentials(broker)!r}"
        remedy = "write mqtts://HOST:PORT; HOST as in the broker's certificate"
        raise ConfigError([Fault("command line", 0, "--broker", problem, remedy)])
