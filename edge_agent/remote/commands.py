"""Decides what becomes of a command: run once, refused or passed over. Pure; there is no way from here to a shell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.event_types import Ms

if TYPE_CHECKING:
    from telemetry.core.protocol.agent_events import CommandOutcome

MAX_BYTES = 8 * 1024
MAX_LIFE_MS = 86_400_000
"""A command may not be valid for longer: its id is remembered until then."""
MARGIN_MS = 86_400_000
"""How long an id is remembered after its command has expired, should the clock be set back."""
MAX_REMEMBERED = 256
ARGUMENTS = {"restart-source": {"source"}, "flush": set[str](), "send-diagnostics": set[str]()}
"""The commands there are, and the arguments each needs."""


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `…/command` carries."""

    v: Literal[1]
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    command: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$")]
    expires: Ms
    args: dict[str, str] = {}


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A command that was begun; `done` once it was answered."""

    command: str
    expires: int
    done: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a command: run it, or answer it with `outcome` and `reason` at once."""

    command: Command
    outcome: CommandOutcome | None = None
    reason: str | None = None


@dataclass(slots=True)
class Ledger:
    """The commands of the last while; its text is kept across restarts."""

    entries: dict[str, Entry] = field(default_factory=dict)
    _refused: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Ledger:
        """Return the ledger that was kept as `text`; an empty one when it cannot be read."""
        try:
            return cls(msgspec.json.decode(text, type=dict[str, Entry]) if text else {})
        except msgspec.MsgspecError:
            return cls()

    @property
    def text(self) -> str:
        """Return what is to be kept."""
        return msgspec.json.encode(self.entries).decode()

    def verdict(self, payload: bytes, wall: int, *, retained: bool) -> Verdict | None:
        """Return what to do, None for what is no command or was met before. `wall` is Unix ms."""
        command = _command_of(payload)
        if command is None or command.id in self.entries or command.id in self._refused:
            return None
        self._forget(wall)
        found = _refusal(command, wall, len(self.entries), retained=retained)
        if found is None:
            return Verdict(command)
        self._refused[command.id] = None
        for old in list(self._refused)[:-MAX_REMEMBERED]:
            del self._refused[old]
        return Verdict(command, *found)

    def begun(self, command: Command) -> None:
        """Note, to be kept before the command runs, that it may not run again."""
        self.entries[command.id] = Entry(command.command, command.expires)

    def done(self, ident: str) -> None:
        """Note, to be kept together with the answer, that it was answered."""
        self.entries[ident] = msgspec.structs.replace(self.entries[ident], done=True)

    def interrupted(self) -> list[tuple[str, Entry]]:
        """Return what was begun and never answered."""
        return [(ident, entry) for ident, entry in self.entries.items() if not entry.done]

    def _forget(self, wall: int) -> None:
        self.entries = {k: e for k, e in self.entries.items() if not e.done or wall < e.expires + MARGIN_MS}


def _command_of(payload: bytes) -> Command | None:
    if len(payload) > MAX_BYTES:
        return None
    try:
        return msgspec.json.decode(payload, type=Command)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _refusal(
    command: Command, wall: int, remembered: int, *, retained: bool
) -> tuple[CommandOutcome, str | None] | None:
    if command.command not in ARGUMENTS:
        return "unknown", None
    if retained:
        return "failed", "retained"
    if command.expires <= wall:
        return "expired", None
    if command.expires > wall + MAX_LIFE_MS:
        return "failed", "expires-too-late"
    if command.args.keys() != ARGUMENTS[command.command]:
        return "failed", "bad-args"
    return ("failed", "too-many") if remembered >= MAX_REMEMBERED else None
