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
    LOCAL = "local"
    KUBERNETES = "kubernetes"
    OPENSTACK = "openstack"


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


class RenderedFiles(NamedTuple):
    """Files by path, the header that identifies them, which are executable, and the port of a rendered mosquitto.

    `is_cloud`: they are of the province's cloud, not of Motcua's own stack.
    """

    files: Mapping[str, str]
    marker: str
    programs: tuple[str, ...] = ()
    broker_port: int | None = None
    is_cloud: bool = False


def render(
    target: Annotated[
        RenderTarget,
        typer.Option(
            help="host: one server with mosquitto, InfluxDB and systemd. "
            "kubernetes: objects for `kubectl apply --server-side -k`. "
            "local, openstack: only the devices; `pulumi up` makes the rest. openstack with a stack file whose "
            "cloud.part is ground or hosted: a document for each project, to review."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Output folder; only files of an earlier run are replaced.")],
    inventory: Annotated[Path | None, typer.Option(help="Folder of the inventory (default: MOTCUA_INVENTORY).")] = None,
    workers: Annotated[int, typer.Option(min=1, max=9, help="host: number of ingest workers, named 1, 2, …")] = 1,
    broker: BrokerOption = "",
    program: Annotated[str, typer.Option(help="host: path of `motcua` on the machines.")] = "/opt/motcua/bin/motcua",
    stack_file: Annotated[
        Path | None,
        typer.Option(help="Stack file Pulumi.NAME.yaml (default: the shipped one; host: one machine in production)."),
    ] = None,
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
    check_overwrites(out, rendered.files, rendered.marker)
    write_files(out, rendered)
    remove_stale_files(out, rendered)
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
    from infra.host.bundle import EXECUTABLE_FILES, HEADER_PREFIX, render_bundle
    from infra.host.mosquitto import DEFAULT_PORT
    from infra.host.systemd_units import HostLayout

    layout = HostLayout(program, tuple(str(number) for number in range(1, workers + 1)))
    port = plan.broker.listeners[0].port if plan else DEFAULT_PORT
    return RenderedFiles(render_bundle(inventory, layout, broker, plan), HEADER_PREFIX, EXECUTABLE_FILES, port)


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
    if target in {RenderTarget.KUBERNETES, RenderTarget.OPENSTACK} and stack.options.cloud.part != "motcua":
        return _render_cloud(stack, drill)
    marker = f"# Written by `motcua render --target {target.value}` from inventory "
    devices = device_files(stack.inventory, f"{marker}{stack.inventory.version}.", broker)
    if target is RenderTarget.KUBERNETES:
        return RenderedFiles(kustomize_files(stack.plan, stack.options, bundle_files(stack.folder)) | devices, marker)
    return RenderedFiles(devices, marker)


def _render_cloud(stack: OpenedStack, drill: str) -> RenderedFiles:
    """Return the ground's objects, those of every hosted system apart from the others, or those of a drill."""
    from infra.plan.cloud import build_cloud_plan
    from infra.targets.kubernetes.cloud.files import DRILL_HEADER, HEADERS, cloud_files, drill_files
    from infra.targets.kubernetes.cloud.vantage import agent_settings
    from infra.targets.openstack.cloud.document import DOCUMENT_HEADERS, stack_documents

    options, inventory = stack.options, stack.inventory
    today = options.today or datetime.now(UTC).date()
    plan = build_cloud_plan(inventory.cloud, province=inventory.province, stage=options.stage, today=today)
    if options.target == "openstack":
        return RenderedFiles(stack_documents(plan, options), DOCUMENT_HEADERS[options.cloud.part], is_cloud=True)
    if drill:
        return RenderedFiles(drill_files(plan, options, drill), DRILL_HEADER.strip(), is_cloud=True)
    agents = agent_settings(inventory, plan, options) if options.cloud.part == "hosted" else {}
    return RenderedFiles(cloud_files(plan, options, agents), HEADERS[options.cloud.part].strip(), is_cloud=True)


def remove_stale_files(out: Path, rendered: RenderedFiles) -> None:
    """Remove what an earlier run wrote and this one did not: objects, which would be applied, and retired devices.

    Ground and hosted systems have headers of their own, so that a run of the one leaves the other.
    """
    own = (*out.glob("[0-9][0-9][0-9]-*.yaml"), *out.glob("devices/*.toml"))
    for path in out.glob("*/*.yaml") if rendered.is_cloud else own:
        if str(path.relative_to(out)) not in rendered.files and _is_own_file(path, rendered.marker):
            path.unlink()


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
