"""Decides whether a command is run once, refused or ignored. Pure; it must not make a shell reachable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.events import Ms
from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from telemetry.core.protocol.events import CommandOutcome

MAX_COMMAND_BYTES = 8 * 1024
MAX_TTL_MS = 86_400_000
"""Longest validity of a command: its id is stored until then."""
ID_RETENTION_MS = 86_400_000
"""How long an id is stored after its command has expired, in case the clock is set back."""
MAX_REMEMBERED_IDS = 256
COMMAND_ARGUMENTS = {"restart-source": {"source"}, "flush": set[str](), "send-diagnostics": set[str]()}
"""The commands, and the arguments that each requires."""


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message of `…/command`."""

    v: Literal[1]
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]
    command: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)")]
    expires: Ms
    args: dict[str, str] = {}


class CommandRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """A command that was begun; `done` once it has been answered."""

    command: str
    expires: int
    done: bool = False


@dataclass(frozen=True, slots=True)
class CommandDecision:
    """What to do with a command: run it, or answer it at once with `outcome` and `reason`."""

    command: Command
    outcome: CommandOutcome | None = None
    reason: str | None = None


@dataclass(slots=True)
class CommandLog:
    """Recent commands; `json_text` is stored so that they survive restarts."""

    records: dict[str, CommandRecord] = field(default_factory=dict)
    _refused_ids: dict[str, None] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> CommandLog:
        """Return the log stored as `text`; an empty one when it cannot be read."""
        try:
            return cls(msgspec.json.decode(text, type=dict[str, CommandRecord]) if text else {})
        except msgspec.MsgspecError:
            return cls()

    @property
    def json_text(self) -> str:
        """Return the text to store."""
        return msgspec.json.encode(self.records).decode()

    def decide(
        self, payload: bytes, wall: int, *, retained: bool, signature_refusal: str = ""
    ) -> CommandDecision | None:
        """Return what to do, None for an invalid or repeated command. `wall` is Unix ms.

        `signature_refusal` says why its signature is refused; its id stays free for the command that is signed.
        """
        command = _parse_command(payload)
        if command is None or command.id in self.records or command.id in self._refused_ids:
            return None
        if signature_refusal:
            return CommandDecision(command, "failed", signature_refusal)
        self._drop_expired(wall)
        refusal = _refusal_of(command, wall, len(self.records), retained=retained)
        if refusal is None:
            return CommandDecision(command)
        self._refused_ids[command.id] = None
        for stale_id in list(self._refused_ids)[:-MAX_REMEMBERED_IDS]:
            del self._refused_ids[stale_id]
        return CommandDecision(command, *refusal)

    def mark_begun(self, command: Command) -> None:
        """Record that the command may not run again; to be stored before it runs."""
        self.records[command.id] = CommandRecord(command.command, command.expires)

    def mark_done(self, command_id: str) -> None:
        """Record that the command was answered; to be stored together with the answer."""
        self.records[command_id] = msgspec.structs.replace(self.records[command_id], done=True)

    def interrupted_commands(self) -> list[tuple[str, CommandRecord]]:
        """Return the commands that were begun and never answered."""
        return [(command_id, record) for command_id, record in self.records.items() if not record.done]

    def _drop_expired(self, wall: int) -> None:
        self.records = {k: e for k, e in self.records.items() if not e.done or wall < e.expires + ID_RETENTION_MS}


def _parse_command(payload: bytes) -> Command | None:
    if len(payload) > MAX_COMMAND_BYTES:
        return None
    try:
        return msgspec.json.decode(to_plain_utf8(payload), type=Command)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _refusal_of(
    command: Command, wall: int, remembered: int, *, retained: bool
) -> tuple[CommandOutcome, str | None] | None:
    if command.command not in COMMAND_ARGUMENTS:
        return "unknown", None
    if retained:
        return "failed", "retained"
    if command.expires <= wall:
        return "expired", None
    if command.expires > wall + MAX_TTL_MS:
        return "failed", "expires-too-late"
    if command.args.keys() != COMMAND_ARGUMENTS[command.command]:
        return "failed", "bad-args"
    return ("failed", "too-many") if remembered >= MAX_REMEMBERED_IDS else None
