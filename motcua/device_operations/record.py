"""The record of operations on devices: a file of JSON lines that is only appended to; it must not decide anything.

Each line holds the digest of the line before it, so that a line that was changed or removed is seen. A line is on disk
before what it records is sent.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import Struct

from motcua.device_operations.orders import CommandOrder, ConfigOrder
from motcua.device_operations.stages import OrderAnswer, OrderedDevice
from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

REPAIR_REMEDY = "restore the file from a backup, or move it aside and keep it: the next operation begins a new one"


class RecordEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the record: when (Unix ms), of which operation; `previous` is the digest of the line before."""

    at: int
    operation: str
    previous: str = ""


class OperationBegun(RecordEntry, frozen=True, kw_only=True, tag="begun", tag_field="entry"):
    """An operation was begun: by which user of the machine, signed by whom, what, for which devices by stage."""

    user: str
    signer: str = ""
    order: ConfigOrder | CommandOrder
    stages: tuple[tuple[OrderedDevice, ...], ...]
    answer_within_ms: int
    max_failures: int


class OperationResumed(RecordEntry, frozen=True, kw_only=True, tag="resumed", tag_field="entry"):
    """A stopped operation went on."""

    user: str
    signer: str = ""


class OrderSent(RecordEntry, frozen=True, kw_only=True, tag="sent", tag_field="entry"):
    """The order is about to be sent to a device; `digest` is the SHA-256 of the payload."""

    device: str
    digest: str


class OrderWithdrawn(RecordEntry, frozen=True, kw_only=True, tag="withdrawn", tag_field="entry"):
    """The retained configuration of a device that has not answered is about to be removed from the broker."""

    device: str


class OrderAnswered(RecordEntry, frozen=True, kw_only=True, tag="answered", tag_field="entry"):
    """How the order ended for a device: its own answer, or why there is none."""

    answer: OrderAnswer


class OperationEnded(RecordEntry, frozen=True, kw_only=True, tag="ended", tag_field="entry"):
    """An operation was completed (`reason` is empty) or stopped."""

    reason: str = ""


Entry = OperationBegun | OperationResumed | OrderSent | OrderWithdrawn | OrderAnswered | OperationEnded


@dataclass(slots=True)
class RecordedOperation:
    """An operation as its entries tell it; `reason` is why it stopped, None while it has not ended."""

    begun: OperationBegun
    answers: dict[str, OrderAnswer] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    reason: str | None = None

    def add(self, entry: Entry) -> None:
        """Take in one later entry."""
        match entry:
            case OrderSent():
                self.sent.add(entry.device)
            case OrderAnswered():
                self.answers[entry.answer.device] = entry.answer
            case OperationEnded():
                self.reason = entry.reason
            case OperationResumed():
                self.reason = None
            case OrderWithdrawn() | OperationBegun():
                pass


class OperationRecord:
    """The record, open for one operation at a time; closing it lets the next operator begin."""

    def __init__(self, path: Path) -> None:
        """Open the file, take its lock and read it. Raises MotcuaError; ConfigError with the line of a fault."""
        self.operations: dict[str, RecordedOperation] = {}
        self._previous = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
        except OSError as error:
            raise MotcuaError(f"{path}: {error}; name another file with --record") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise MotcuaError(f"{path}: another operation is running; wait for its end, or stop it first") from None
        try:
            self._read(path)
        except BaseException:
            self._file.close()
            raise

    def _read(self, path: Path) -> None:
        """Take in the file's lines; the last one is dropped when a crash has cut it off: nothing was sent after it."""
        data = self._file.readall() or b""
        whole, _, torn = data.rpartition(b"\n")
        if torn:
            os.ftruncate(self._file.fileno(), len(data) - len(torn))
        for entry in read_entries(whole.split(b"\n") if whole else [], str(path)):
            _take(self.operations, entry)
        if whole:
            self._previous = line_digest(whole.rpartition(b"\n")[2])

    def append(self, entry: Entry) -> None:
        """Write an entry and wait until it is on disk. Raises MotcuaError."""
        line = msgspec.json.encode(msgspec.structs.replace(entry, previous=self._previous))
        try:
            self._file.write(line + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise MotcuaError(f"the record cannot be written: {error}; nothing more is sent, free its disk") from error
        self._previous = line_digest(line)
        _take(self.operations, entry)

    def highest_version(self) -> int:
        """Return the highest version of a configuration that any operation has sent, 0 without one."""
        orders = (operation.begun.order for operation in self.operations.values())
        return max((order.version for order in orders if isinstance(order, ConfigOrder)), default=0)

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def _take(operations: dict[str, RecordedOperation], entry: Entry) -> None:
    """Add an entry to its operation."""
    if isinstance(entry, OperationBegun):
        operations[entry.operation] = RecordedOperation(entry)
    elif entry.operation in operations:
        operations[entry.operation].add(entry)


def read_record(path: Path) -> dict[str, RecordedOperation]:
    """Return the operations of a record by id, without changing or locking it; a line being written is left out.

    Raises MotcuaError, and ConfigError with each line that was changed or removed.
    """
    operations: dict[str, RecordedOperation] = {}
    try:
        whole = path.read_bytes().rpartition(b"\n")[0]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise MotcuaError(f"{path}: {error}; name a readable file with --record") from error
    for entry in read_entries(whole.split(b"\n") if whole else [], str(path)):
        _take(operations, entry)
    return operations


def line_digest(line: bytes) -> str:
    """Return the digest by which the next line names this one."""
    return sha256(line).hexdigest()[:32]


def read_entries(lines: list[bytes], file: str) -> list[Entry]:
    """Return the entries of a record's lines. Raises ConfigError with each line that was changed or removed."""
    entries: list[Entry] = []
    faults = []
    previous = ""
    for number, line in enumerate(lines, 1):
        try:
            entry: Entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            faults.append(Fault(file, number, "line", f"is no entry: {error}", REPAIR_REMEDY))
        else:
            if entry.previous != previous:
                problem = "does not name the line before it: one of them was changed, added or removed"
                faults.append(Fault(file, number, "previous", problem, REPAIR_REMEDY))
            entries.append(entry)
        previous = line_digest(line)
    if faults:
        raise ConfigError(faults)
    return entries
