"""One run of `motcua device config publish` or `motcua device command send`: checks, runs and shows it.

It must not decide about stages, nor write the record's lines itself.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console

from motcua.device_operations.selection import DeviceSelection, select_devices
from motcua.startup import load_inventory, until_stopped
from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.remote.settings import RemoteSettings
    from motcua.device_operations.orders import Order
    from motcua.device_operations.record import OperationRecord
    from motcua.device_operations.signing import MessageSigner
    from motcua.device_operations.stages import OrderedDevice
    from motcua.device_operations.start import StartedOperation
    from telemetry.config import ServerSettings
    from telemetry.store import Store

T = TypeVar("T")
RECORD_NAME = "device-operations.jsonl"
err = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class OperationChoices:
    """The options that both kinds of operation have."""

    devices: tuple[str, ...]
    kinds: tuple[str, ...]
    centres: tuple[str, ...]
    everything: bool
    first: str
    key: Path | None
    answer_within: str
    max_failures: int
    record: Path | None
    resume: str | None
    dry_run: bool
    as_json: bool

    @property
    def selection(self) -> DeviceSelection:
        """Return the selected devices."""
        return DeviceSelection(self.devices, self.kinds, self.centres, self.first, self.everything)


def collect_faults(faults: list[Fault], read: Callable[[], T]) -> T | None:
    """Return what `read` returns, None after adding its faults."""
    try:
        return read()
    except ConfigError as error:
        faults += error.faults
        return None


def record_path(settings: ServerSettings, record: Path | None) -> Path:
    """Return the record's file: beside the state file unless another is named."""
    return record or settings.state.with_name(RECORD_NAME)


def read_settings(path: Path | None) -> RemoteSettings:
    """Return the settings of a TOML file. Raises ConfigError with every fault."""
    from motcua.device_operations.orders import parse_settings
    from telemetry.text_file import read_text_file

    if path is None:
        raise ConfigError(
            [Fault("command line", 0, "FILE", "no settings are given", "name a TOML file, or --resume ID")]
        )
    try:
        return parse_settings(read_text_file(path), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(path), 0, "FILE", str(error), "give a readable TOML file")]) from error


class OperationSession:
    """What a command line asks for, with the inventory that it is checked against."""

    def __init__(self, channel: str, choices: OperationChoices, settings: ServerSettings) -> None:
        """Load the inventory. Raises InventoryError."""
        from motcua.system import new_id

        self._channel, self._choices, self._settings = channel, choices, settings
        self._inventory = load_inventory(settings)()
        self._signer: MessageSigner | None = None
        self._answer_within_ms = 0
        self.ident = new_id()
        self.devices: list[OrderedDevice] = []

    def check(self, faults: list[Fault]) -> None:
        """Check what all operations have. Raises ConfigError with these faults and those of the caller."""
        from motcua.device_operations.orders import parse_duration
        from motcua.system import wall_ms

        choices = self._choices
        devices = collect_faults(faults, lambda: select_devices(self._inventory, choices.selection, wall_ms()))
        within = collect_faults(faults, lambda: parse_duration(choices.answer_within, "--answer-within", 86_400_000))
        self._signer = collect_faults(faults, self._load_signer)
        if faults:
            raise ConfigError(faults)
        self.devices, self._answer_within_ms = devices or [], within or 0

    def _load_signer(self) -> MessageSigner | None:
        from motcua.device_operations.signing import load_signer
        from telemetry.inventory import default_path

        if self._choices.key is not None:
            folder = self._settings.inventory or default_path()
            return load_signer(self._choices.key, self._inventory.signers, folder)
        if self._inventory.signers:
            remedy = "give --key FILE, or MOTCUA_SIGNING_KEY"
            problem = "devices accept signed messages only: signers.csv declares who may sign"
            raise ConfigError([Fault("command line", 0, "--key", problem, remedy)])
        return None

    def warn_of_sources(self, settings: RemoteSettings) -> None:
        """Print the sources that devices do not have in the inventory: they may have them from drop-in files."""
        from motcua.device_operations.orders import undeclared_sources
        from telemetry.core.device_sources import sources_of
        from telemetry.source_settings import source_name

        devices = [self._inventory.devices[one.device] for one in self.devices]
        names = {
            device.id: {source_name(source.kind, source.settings) for source in sources_of(self._inventory, device)}
            for device in devices
        }
        for source, count in undeclared_sources(settings, names).items():
            err.print(
                f"warning: {count} of {len(devices)} devices have no source {source!r} in the inventory; "
                "without a drop-in file of theirs they will reject the configuration"
            )

    def begin(self, order: Callable[[OperationRecord | None, Store | None], Order]) -> None:
        """Begin the operation; `order` is made from the record and the store, which a dry run does not open."""
        from motcua.cli.device.tables import print_stages
        from motcua.device_operations.record import OperationRecord
        from motcua.device_operations.stages import plan_stages
        from motcua.device_operations.start import OperationTerms, begin_operation

        stages = plan_stages(self.devices, self.ident, self._choices.first)
        if self._choices.dry_run:
            print_stages(stages, order(None, None), as_json=self._choices.as_json)
            return
        signer = self._signer.name if self._signer else ""
        terms = OperationTerms(self._answer_within_ms, self._choices.max_failures, signer)
        with self._open_store() as store, OperationRecord(self._record_path) as record:
            self._run(record, lambda: begin_operation(record, store, self.ident, order(record, store), stages, terms))

    def resume(self, *, has_order: bool) -> None:
        """Go on with an operation that stopped. Raises ConfigError when the command line orders something else, too."""
        from motcua.device_operations.record import OperationRecord
        from motcua.device_operations.start import resume_operation

        faults: list[Fault] = []
        if has_order or self._choices.selection != DeviceSelection() or self._choices.dry_run:
            remedy = "leave all but --resume and --key out"
            faults.append(Fault("command line", 0, "--resume", "an operation goes on as it was begun", remedy))
        self._signer = collect_faults(faults, self._load_signer)
        if faults:
            raise ConfigError(faults)
        self.ident = self._choices.resume or ""
        signer = self._signer.name if self._signer else ""
        with self._open_store() as store, OperationRecord(self._record_path) as record:
            self._run(record, lambda: resume_operation(record, store, self.ident, self._channel, signer))

    @property
    def _record_path(self) -> Path:
        return record_path(self._settings, self._choices.record)

    def _open_store(self) -> closing[Store]:
        from telemetry.wiring import open_store

        return closing(open_store(self._settings.store, self._settings.store_token, create=False))

    def _run(self, record: OperationRecord, start: Callable[[], StartedOperation]) -> None:
        """Connect, then begin, run to the end and show it; exit 1 unless every device has done it."""
        from motcua.cli.device.tables import OperationProgress, print_operation
        from motcua.device_operations.broker_sender import BrokerSender
        from motcua.device_operations.runner import OperationRunner

        with until_stopped() as stop, closing(BrokerSender(self._settings.mqtt)) as sender:
            started = start()
            err.print(f"operation {self.ident}, recorded in {self._record_path}")
            with OperationProgress(started.operation, err) as progress:
                runner = OperationRunner(
                    started.ident, started.order, started.operation, record, sender, started.answers, self._signer,
                    progress.update, stop.is_set,
                )  # fmt: skip
                try:
                    reason = runner.run()
                except MotcuaError:
                    err.print(f"it goes on with: motcua device {self._resume_words()}")
                    raise
        print_operation(record.operations[self.ident], as_json=self._choices.as_json)
        if reason:
            err.print(f"stopped: {reason}; it goes on with: motcua device {self._resume_words()}")
            raise typer.Exit(1)

    def _resume_words(self) -> str:
        return f"{'config publish' if self._channel == 'config' else 'command send'} --resume {self.ident}"
