"""Speaks to mosquitto's dynamic security over MQTT: commands in batches, answers by number; it must not know kinds.

mosquitto 2.0 writes its whole file after each command and serves nobody meanwhile, so a batch is kept as small as
answers within about a second ask for; 2.1 writes once per batch. 2.0.11 writes in place: killed at that moment, it
knows nobody at its next start, the administrator included, until it gets its first file again.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.providers.kind import ProviderError
from telemetry.errors import BrokerUnavailable
from telemetry.mqtt import FAILED, Link, LinkSettings

if TYPE_CHECKING:
    from telemetry.address import BrokerAddress
    from telemetry.messages import Message

Command = Mapping[str, object]
CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSE = f"{CONTROL}/response"
MOST_COMMANDS = 500
FIRST_COMMANDS = 20
LEAST_COMMANDS = 5
MOST_BYTES = 200_000
"""Below the max_packet_size of our configuration, 262,144."""
HOLD_S = 1.0
"""A batch that took longer halves the next; one that took a quarter doubles it."""
CONNECTIONS = 10
"""So often a batch is sent when its connection is lost: on a listener with use_username_as_clientid two processes with
one certificate end each other's."""
PAUSE_S = 0.2
"""At most so long, times the attempt, is waited before the next: by chance, so that the two do not keep step."""

AWAY_S = 0.25
"""Between two tries to reach a broker that is away for a moment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said to one command; an empty error is success."""

    error: str = ""
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        """Tell whether the thing is not there."""
        return self.error.endswith(("not found", "does not exist"))

    @property
    def there(self) -> bool:
        """Tell whether the thing was there before."""
        return self.error.endswith("already exists") or "already in" in self.error


class Dynsec:
    """Dynamic security of one broker; calls may come from any thread, one is served at a time."""

    def __init__(
        self, where: BrokerAddress, deadline_s: float = 60.0, patience_s: float = 0.0, owner: str = ""
    ) -> None:
        """Wait `deadline_s` for answers, `patience_s` for a broker that begins again; `owner` is our stack's name."""
        self.owner = owner
        self._where = where
        self._patience_s = patience_s
        self._deadline_s = deadline_s
        self._lock = threading.RLock()
        self._size = FIRST_COMMANDS
        self._depth = 0
        self._session: _Session | None = None

    def __str__(self) -> str:
        """Return the broker's address."""
        return f"broker {self._where.host}:{self._where.port}"

    @property
    def username(self) -> str:
        """Return whom we are there, empty when a certificate says it."""
        return self._where.username

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads out, and the connection, between what is read and what is written for it."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth:
                    self._close()

    def run(self, commands: Sequence[Command]) -> list[Answer]:
        """Return the answer to each command, in order; a refused one does not stop the next. Raises ProviderError."""
        answers: list[Answer] = []
        with self.alone():
            while len(answers) < len(commands):
                answers += self._answered(_batch(commands[len(answers) :], self._size))
        return answers

    def do(self, commands: Sequence[Command]) -> bool:
        """Run commands that change something; raises ProviderError when one is refused.

        Returns False when something was there already or gone already: look again whether all is as it should be.
        """
        settled, refused = True, []
        for command, answer in zip(commands, self.run(commands), strict=True):
            if answer.there or answer.gone or _again(command, answer):
                settled = False
            elif answer.error:
                refused.append(f"{command['command']} {_subject(command)}: {answer.error}")
        if refused:
            rest = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            raise ProviderError(f"{self} refused {refused[0]}{rest}; look into the broker's log")
        return settled

    def _answered(self, batch: list[Command]) -> list[Answer]:
        """Send one batch; every command may be sent twice, for what it leaves is the same."""
        for attempt in range(CONNECTIONS):
            try:
                if self._session is None:
                    self._session = self._open()
                begun = time.monotonic()
                found = self._session.ask(batch)
                if not _reads(batch[0]):
                    self._adapt(time.monotonic() - begun)
                return found
            except ProviderError:
                self._close()
                raise
            except _LostError as error:
                self._close()
                lost = str(error)
                # Two that ended each other's connection must not do so again in step.
                time.sleep(secrets.randbelow(1000) / 1000 * PAUSE_S * (attempt + 1))
        msg = f"{self}: its connections are lost ({lost}); run it again, and look into the broker's log"
        raise ProviderError(msg)

    def _open(self) -> _Session:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                return _Session(str(self), self._where, self._deadline_s)
            except BrokerUnavailable as error:
                if time.monotonic() >= give_up:
                    self._patience_s = 0.0
                    raise ProviderError(f"{self}: {error}") from None
            time.sleep(AWAY_S)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _adapt(self, took: float) -> None:
        if took > HOLD_S:
            self._size = max(LEAST_COMMANDS, self._size // 2)
        elif took < HOLD_S / 4:
            self._size = min(MOST_COMMANDS, self._size * 2)


def _subject(command: Command) -> str:
    """Return what a command is about; never its other fields, of which one may be a password."""
    return " ".join(str(command[name]) for name in ("username", "rolename", "groupname") if name in command)


def _again(command: Command, answer: Answer) -> bool:
    """Tell whether a role was given or taken before: of that 2.0 says nothing better."""
    return answer.error == "Internal error" and str(command["command"]).startswith(("add", "remove"))


def _reads(command: Command) -> bool:
    """Tell whether a command only reads; those that write come in batches of their own."""
    return str(command["command"]).startswith(("get", "list"))


def _batch(commands: Sequence[Command], size: int) -> list[Command]:
    """Return the first commands that fit one message."""
    taken: list[Command] = []
    room = MOST_BYTES
    for command in commands[: MOST_COMMANDS if _reads(commands[0]) else size]:
        room -= len(json.dumps(command)) + 64
        if taken and room < 0:
            break
        taken.append(command)
    return taken


class _LostError(Exception):
    """The connection ended while an answer was due."""


class _Session:
    """One connection, who listens on it, and the answers that came."""

    def __init__(self, name: str, where: BrokerAddress, deadline_s: float) -> None:
        self._name, self._deadline_s = name, deadline_s
        self._answers: dict[str, Answer] = {}
        self._broken = ""
        self._refused = 0
        self._lost = ""
        self._code = 0
        self._count = 0
        self._id = f"motcua-dynsec-{secrets.token_hex(6)}"
        settings = LinkSettings(self._id, ((RESPONSE, 1),))
        self._link = Link(where, settings, self)
        try:
            self._link.connect()
            self._until(lambda: self._link.up or bool(self._lost), "answer the connection")
        except OSError as error:
            raise ProviderError(f"{name}: {error}") from None
        if self._lost and not self._code:
            raise _LostError(self._lost)
        if self._lost:
            msg = (
                f"{name} refused the connection ({self._lost}); check user name, password and certificate. A broker"
                " that was killed while it wrote dynamic-security.json may have lost it: put its first file back"
            )
            raise ProviderError(msg)

    def close(self) -> None:
        self._link.disconnect()

    def ask(self, batch: Sequence[Command]) -> list[Answer]:
        """Return the answers to one message's commands. Raises ProviderError, _LostError."""
        self._answers.clear()
        self._count += 1
        # mosquitto sends every answer to everybody who listens for answers, so ours say whose they are.
        numbers = [f"{self._id}-{self._count}-{at}" for at in range(len(batch))]
        asked = [{**command, "correlationData": number} for command, number in zip(batch, numbers, strict=True)]
        payload = json.dumps({"commands": asked}, separators=(",", ":")).encode()
        if self._link.publish(CONTROL, payload, qos=1) is None:
            raise _LostError(self._lost or "not connected")
        self._until(lambda: self._done(len(batch)), "answer dynamic security's commands")
        if self._refused:
            msg = (
                f"{self._name} refused to be controlled (0x{self._refused:02x}); is its dynamic security plugin loaded,"
                " and has this user a role that may publish and subscribe to $CONTROL/dynamic-security/#?"
            )
            raise ProviderError(msg)
        if self._broken:
            raise ProviderError(f"{self._name}: {self._broken}")
        if len(self._answers) < len(batch):
            raise _LostError(self._lost or "closed")
        return [self._answers[number] for number in numbers]

    def _done(self, wanted: int) -> bool:
        return len(self._answers) >= wanted or bool(self._refused or self._broken) or bool(self._lost)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self._deadline_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                self.close()
                msg = (
                    f"{self._name} did not {what} within {self._deadline_s:g} s; is its dynamic security plugin loaded,"
                    " and may this user use it? A user without the right gets no answer"
                )
                raise ProviderError(msg)
            self._link.pump(min(left, 0.5))

    def linked(self, *, session_present: bool) -> None:
        del session_present

    def unlinked(self, code: int, reason: str) -> None:
        self._lost, self._code = reason or f"0x{code:02x}", code

    def sent(self, mid: int, code: int) -> None:
        del mid
        if code >= FAILED:
            self._refused = code

    def received(self, message: Message) -> None:
        if message.topic != RESPONSE:
            return
        try:
            for one in json.loads(message.payload)["responses"]:
                self._take(one)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._broken = "its answer is not one of dynamic security; is another plugin listening there?"

    def _take(self, one: Mapping[str, object]) -> None:
        number = one.get("correlationData")
        error, data = str(one.get("error", "")), one.get("data")
        if isinstance(number, str):
            if number.startswith(f"{self._id}-{self._count}-"):
                self._answers[number] = Answer(error, data if isinstance(data, dict) else {})
        elif error:
            self._broken = f"it did not understand the commands: {error}"
