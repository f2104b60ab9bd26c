"""The error tree; every message states what is wrong and its remedy. It must not import anything.

MotcuaError
├── ConfigError        settings that cannot work (lists all faults at once)
├── InventoryError     faults of the inventory, each with file and line
├── MappingError       faults of a replay mapping, each with file and line
├── StoreError
│   ├── StoreUnavailable   the store cannot be reached or written now: keep the data, try again
│   │   └── AccessDenied       InfluxDB refuses the token (telemetry/store/influx/server.py)
│   ├── StoreTooNew        the file was written by a newer version
│   └── WriteRejected      InfluxDB will never accept these lines (telemetry/store/influx/server.py)
├── OutboxTooNew       the same for an agent's outbox
├── StateTooNew        the same for the file of alert state (telemetry/slo/alert_state.py)
├── StateUnavailable   that file cannot be opened or written (telemetry/slo/alert_state.py)
├── BrokerUnavailable  no connection to the MQTT broker
├── NotFound, BadScope, BadWindow   a question that cannot be answered (telemetry/queries/errors.py)
└── EngineFailed       Pulumi could not run a program (motcua/authority.py)

Outside the tree are errors internal to their package: ProviderError, with RequestRefused and InfluxApiError,
for Pulumi's engine (infra/providers/); NotModified and BadCursor, which become HTTP answers (api/); UnreadableFrame
(telemetry/core/protocol/codec.py); the parsers' errors of telemetry/inventory/ and edge_agent/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of a file that people edit: its position, the problem and the remedy; line 0: not of one line."""

    file: str
    line: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return `file:line: field: problem; remedy`, without a line that it has not."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field}: {self.problem}; {self.remedy}"


def declaration_fault(declared_at: str, default_file: str, field: str, problem: str, remedy: str) -> Fault:
    """Return a fault where something is declared: `file:line`, a file alone, or empty for `default_file`.

    >>> str(declaration_fault("flows.csv:7", "cloud.toml", "port", "is closed", "open it"))
    'flows.csv:7: port: is closed; open it'
    """
    file, separator, line = declared_at.rpartition(":")
    if not separator:
        file, line = declared_at, ""
    return Fault(file or default_file, int(line) if line.isdecimal() else 0, field, problem, remedy)


class MotcuaError(Exception):
    """The root of the errors that Motcua raises deliberately."""


class _FaultsError(MotcuaError):
    """All faults of one input, listed at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigError(_FaultsError):
    """Settings that cannot work."""


class InventoryError(_FaultsError):
    """Faults of the inventory."""


class MappingError(_FaultsError):
    """Faults of a replay mapping or of the file it reads."""


class StoreError(MotcuaError):
    """The store could not do what was requested."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written now; nothing was stored."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of this program."""

    def __init__(self, path: str, file_version: int, supported_version: int) -> None:
        super().__init__(
            f"{path}: schema version {file_version} is newer than this program's {supported_version}; "
            "upgrade motcua, or use another file",
        )


class OutboxTooNew(MotcuaError):
    """The outbox was written by a newer version of this program."""

    def __init__(self, path: str, file_version: int, supported_version: int) -> None:
        super().__init__(
            f"{path}: outbox version {file_version} is newer than this agent's {supported_version}; "
            "upgrade the agent, or move the file aside (its rows stay in it)",
        )


class BrokerUnavailable(MotcuaError):
    """The MQTT broker could not be reached or refused us."""
