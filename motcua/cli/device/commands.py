"""`motcua device …`: configurations and commands for many devices, staged and on record. It must not open a shell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.cli import ConfigOption, MqttOption, StoreOption
from motcua.cli.device.session import OperationChoices, OperationSession, collect_faults, read_settings, record_path
from motcua.startup import load_settings
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from motcua.device_operations.orders import ConfigOrder
    from motcua.device_operations.record import OperationRecord
    from telemetry.store import Store

app = typer.Typer(no_args_is_help=True, help="Configure devices and send them commands, in stages and on record.")
config_app = typer.Typer(no_args_is_help=True, help="Settings of devices.")
command_app = typer.Typer(no_args_is_help=True, help="Commands to devices.")
app.add_typer(config_app, name="config")
app.add_typer(command_app, name="command")

DevicesOption = Annotated[
    list[str] | None, typer.Option(help="A device's id, or a pattern like 'vn83-*-kiosk1'; may be repeated.")
]
KindOption = Annotated[list[str] | None, typer.Option(help="Only devices of this kind; may be repeated.")]
CentreOption = Annotated[list[str] | None, typer.Option(help="Only devices of this centre; may be repeated.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every device of the inventory.")]
FirstOption = Annotated[str, typer.Option(help="The device of the first stage.")]
KeyOption = Annotated[
    Path | None,
    typer.Option(envvar="MOTCUA_SIGNING_KEY", help="Your key, from `motcua device key`; signers.csv must declare it."),
]
WithinOption = Annotated[str, typer.Option(help="A device that has not answered in this time has failed.")]
FailuresOption = Annotated[int, typer.Option(min=0, help="Stop when more devices than this have failed.")]
RecordOption = Annotated[
    Path | None,
    typer.Option(help="The record of operations (default: device-operations.jsonl beside the state file)."),
]
ResumeOption = Annotated[str | None, typer.Option(help="Go on with this operation, which stopped.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only print what would be sent to whom, in which order.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@config_app.callback()
def _config() -> None:
    """Keep `publish` a subcommand: typer would drop the name of a single command."""


@command_app.callback()
def _command() -> None:
    """Keep `send` a subcommand: typer would drop the name of a single command."""


@config_app.command("publish")
def publish_configuration(
    settings_file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="TOML file with the settings; none with --resume.")
    ] = None,
    devices: DevicesOption = None,
    kind: KindOption = None,
    centre: CentreOption = None,
    everything: AllOption = False,
    first: FirstOption = "",
    valid_for: Annotated[
        str | None, typer.Option(help="After this time, e.g. 30d, devices go back to their agent.toml.")
    ] = None,
    permanent: Annotated[bool, typer.Option("--permanent", help="Valid until the next configuration.")] = False,
    version: Annotated[int | None, typer.Option(min=1, help="Its version (default: the next one).")] = None,
    key: KeyOption = None,
    answer_within: WithinOption = "3min",
    max_failures: FailuresOption = 0,
    record: RecordOption = None,
    resume: ResumeOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
    mqtt: MqttOption = None,
    config: ConfigOption = None,
) -> None:
    """Give devices new settings: first one device, then 5 %, then all; it stops by itself when a device fails.

    A device tries the settings, keeps them or goes back, and answers; the answers are read from the store. Exit
    0: it is complete; 1: it stopped, and `--resume ID` goes on.

    Example: motcua device config publish slower.toml --kind kiosk --valid-for 30d --key ~/lan.key
    """
    choices = OperationChoices(
        tuple(devices or ()), tuple(kind or ()), tuple(centre or ()), everything, first, key, answer_within,
        max_failures, record, resume, dry_run, as_json,
    )  # fmt: skip
    session = OperationSession("config", choices, load_settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt))
    if resume is not None:
        is_given = settings_file is not None or valid_for is not None or permanent or version is not None
        session.resume(has_order=is_given)
        return
    _begin_configuration(session, settings_file, _Validity(valid_for, permanent), version)


@dataclass(frozen=True, slots=True)
class _Validity:
    """How long a configuration is valid, as the command line says it."""

    duration: str | None
    permanent: bool

    def end(self, faults: list[Fault]) -> int | None:
        """Return the time from which it is no longer valid, Unix ms, None for a permanent one; adds faults."""
        from motcua.device_operations.orders import parse_duration
        from motcua.system import wall_ms

        if (self.duration is None) != self.permanent:
            remedy = "give --valid-for, e.g. 30d, or --permanent"
            faults.append(Fault("command line", 0, "--valid-for", "how long it is valid is not clear", remedy))
        text = self.duration
        duration = None if text is None else collect_faults(faults, lambda: parse_duration(text, "--valid-for"))
        return None if duration is None else wall_ms() + duration


def _begin_configuration(
    session: OperationSession, file: Path | None, validity: _Validity, version: int | None
) -> None:
    """Check everything, then begin the operation."""
    from edge_agent.remote.settings import ConfigDocument
    from motcua.device_operations.orders import ConfigOrder
    from motcua.device_operations.start import next_version

    faults: list[Fault] = []
    settings = collect_faults(faults, lambda: read_settings(file))
    valid_until = validity.end(faults)
    session.check(faults)
    assert settings is not None  # noqa: S101 - a fault was raised otherwise
    session.warn_of_sources(settings)

    def order(operations: OperationRecord | None, stored: Store | None) -> ConfigOrder:
        number = version or 1
        if operations is not None and stored is not None:
            free = next_version(operations, stored, session.devices)
            number = version or free
            if number < free:
                problem = f"{number} is used: devices take higher versions only"
                raise ConfigError([Fault("command line", 0, "--version", problem, f"leave it out, or give {free}")])
        return ConfigOrder(ConfigDocument(v=1, version=number, settings=settings, valid_until=valid_until))

    session.begin(order)


@command_app.command("send")
def send_command(
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="restart-source, flush or send-diagnostics.")
    ] = None,
    arg: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, e.g. source=host; may be repeated.")] = None,
    devices: DevicesOption = None,
    kind: KindOption = None,
    centre: CentreOption = None,
    everything: AllOption = False,
    first: FirstOption = "",
    valid_for: Annotated[
        str, typer.Option(help="A device that gets it later answers `expired`; 24h at most.")
    ] = "5min",
    key: KeyOption = None,
    answer_within: WithinOption = "1min",
    max_failures: FailuresOption = 0,
    record: RecordOption = None,
    resume: ResumeOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
    mqtt: MqttOption = None,
    config: ConfigOption = None,
) -> None:
    """Send devices a command: first one device, then 5 %, then all; it stops by itself when a device fails.

    Each device runs it once at most, however often it is sent. A device without a connection has failed at once. Exit
    0: it is complete; 1: it stopped, and `--resume ID` goes on.

    Example: motcua device command send restart-source --arg source=cups --centre vn83-28756 --key ~/lan.key
    """
    from motcua.device_operations.orders import parse_command, parse_duration

    choices = OperationChoices(
        tuple(devices or ()), tuple(kind or ()), tuple(centre or ()), everything, first, key, answer_within,
        max_failures, record, resume, dry_run, as_json,
    )  # fmt: skip
    session = OperationSession("command", choices, load_settings(config, MOTCUA_STORE=store, MOTCUA_MQTT=mqtt))
    if resume is not None:
        session.resume(has_order=command is not None or bool(arg))
        return
    faults: list[Fault] = []
    validity = collect_faults(faults, lambda: parse_duration(valid_for, "--valid-for", 86_400_000))
    order = collect_faults(faults, lambda: parse_command(command or "", arg or [], session.ident, validity or 1))
    session.check(faults)
    assert order is not None  # noqa: S101 - a fault was raised otherwise
    session.begin(lambda _record, _store: order)


@app.command("key")
def create_signing_key(
    name: Annotated[str, typer.Argument(help="The signer's name: a-z, 0-9, dots, dashes; 63 at most.")],
    out: Annotated[Path, typer.Option(help="The new file of the private key; only you may read it.")],
) -> None:
    """Make a key with which you sign configurations and commands, and print its row for signers.csv.

    Example: motcua device key lan.nguyen --out ~/lan.key >> inventory/signers.csv
    """
    from motcua.device_operations.signing import create_key
    from telemetry.core.protocol.remote_signature import SIGNER_NAME, encode_base64

    if not SIGNER_NAME.fullmatch(name):
        remedy = "use a-z, 0-9, dots and dashes, 63 at most"
        raise ConfigError([Fault("command line", 0, "NAME", f"not a name: {name!r}", remedy)])
    signer = create_key(name, out)
    print(f"{signer.name},{encode_base64(signer.public_key)}")
    print(f"{out}: the private key; keep it on this machine, and a copy in a password manager", file=sys.stderr)


@app.command("operations")
def show_operations(
    ident: Annotated[str | None, typer.Argument(metavar="[ID]", help="One operation, device by device.")] = None,
    record: RecordOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the record: who ordered what of which devices, when, and how each answered; a changed line is a fault.

    Example: motcua device operations 01JH8Q3V6S0000000000000000
    """
    from motcua.cli.device.tables import print_operation, print_operations
    from motcua.device_operations.record import read_record

    operations = read_record(record_path(load_settings(config), record))
    if ident is None:
        print_operations(operations, as_json=as_json)
        return
    if ident not in operations:
        remedy = "`motcua device operations` lists them"
        raise ConfigError([Fault("command line", 0, "ID", f"there is no operation {ident!r}", remedy)])
    print_operation(operations[ident], as_json=as_json)
