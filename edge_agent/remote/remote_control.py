"""Carries out what is decided of remote configuration and commands: keeps, applies, answers; it must not decide itself.

All methods belong to the fleet's thread.  An outbox or disk that cannot be written only delays what is due.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from edge_agent.log import Log
from edge_agent.remote.commands import Command, Ledger, Verdict
from edge_agent.remote.rollout import Change, Facts, Health, Rollout
from telemetry.core.protocol.agent_events import AgentAlarm, CommandResult, ConfigResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.remote import Controlled, Journal
    from edge_agent.remote.config_file import StandingFile
    from edge_agent.remote.settings import Settings
    from telemetry.core.protocol.agent_events import CommandOutcome
    from telemetry.core.protocol.events import Event

_log = Log(__name__)
ANSWERED, COMMANDS = "remote:answered", "remote:commands"
"""Names of the cursors in the outbox: the number of the last configuration answer, the commands' ledger."""
TRIAL_LOOK_MS = 500
AGAIN_MS = 5_000
LAPSE_LOOK_MS = 60_000
MOST_WAITING = 32
"""Commands that may wait for one step; more than that is no operator."""


class RemoteControl:
    """One agent's remote side; `wall` gives Unix ms."""

    def __init__(
        self, controlled: Controlled, journal: Journal, file: StandingFile, wall: Callable[[], int],
        rollout: Callable[..., Rollout] = Rollout,
    ) -> None:  # fmt: skip
        """Load what was kept. Raises OSError."""
        self._controlled, self._journal, self._file, self._wall = controlled, journal, file, wall
        standing, self._unreadable = file.load()
        self._rollout = rollout(standing)
        self._offer: bytes | None = None
        self._commands: deque[tuple[bytes, bool]] = deque(maxlen=MOST_WAITING)
        self._ledger: Ledger | None = None
        self._owed: list[Event] = []
        self._row: int | None = None

    @property
    def version(self) -> int:
        """Return the version in force, 0 for `agent.toml` alone."""
        standing = self._rollout.standing
        held = standing.trial or standing.committed
        return held.version if held else 0

    def start(self) -> None:
        """Put the committed settings in force, before the agent's loop; a trial that was left is rolled back."""
        change = self._rollout.begin()
        if change is not None:
            self._rollout.take(change)
            try:
                self._file.save(change.standing)
            except OSError as error:
                _log.error("config_not_kept", error=str(error))
        settings = self._rollout.standing.settings
        if self._rollout.standing.committed is not None or change is not None:
            self._applied(settings)

    def received(self, channel: str, payload: bytes, now: int, *, retained: bool = False) -> None:
        """Put a message by for the next step; of configurations only the latest counts."""
        del now
        if channel == "config":
            self._offer = payload
        elif channel == "command":
            self._commands.append((payload, retained))

    def step(self, now: int) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        try:
            self._report()
            self._configure(now)
            self._obey()
        except (OSError, sqlite3.Error) as error:
            _log.warning("remote_delayed", error=str(error))
            return now + AGAIN_MS
        return now + (TRIAL_LOOK_MS if self._rollout.on_trial() else LAPSE_LOOK_MS)

    # --- configuration ------------------------------------------------------------------------

    def _report(self) -> None:
        """Say what is owed: the last answer, each once, and a file that was unreadable."""
        if self._unreadable:
            self._journal.append([AgentAlarm(n=1, t=self._wall(), alarm="config_unreadable", subject="remote")])
            self._unreadable = False
        standing = self._rollout.standing
        if standing.answer is None or self._journal.cursor(ANSWERED) == str(standing.answers):
            return
        version, outcome, reason = standing.answer.version, standing.answer.outcome, standing.answer.reason
        event = ConfigResult(n=1, t=self._wall(), version=version, outcome=outcome, reason=reason)
        self._journal.append([event], source=ANSWERED, cursor=str(standing.answers))
        _log.info("config_answered", version=version, outcome=outcome, reason=reason)

    def _configure(self, now: int) -> None:
        if self._rollout.on_trial():
            self._judge(now)
        if not self._rollout.on_trial():
            self._settle(self._rollout.lapsed(self._wall()))
            self._consider(now)

    def _consider(self, now: int) -> None:
        """Take up the document that waits, if any."""
        if self._offer is None:
            return
        names = frozenset(self._controlled.sources())
        facts = Facts(self._wall(), names, self._controlled.used_mb())
        change = self._rollout.offered(self._offer, facts)
        self._rollout.applied(now, self._controlled.failing())
        self._row = None
        self._settle(change)
        self._offer = None

    def _judge(self, now: int) -> None:
        if self._row is None:
            _, self._row = self._journal.append([self._diagnostics()])
        receipted = not self._journal.rows([self._row])
        health = Health(self._controlled.linked(), receipted, self._controlled.failing())
        self._settle(self._rollout.judge(health, now))

    def _settle(self, change: Change | None) -> None:
        """Keep a change, then put it in force, then answer; settings that cannot be applied are taken back."""
        if change is None:
            return
        self._file.save(change.standing)
        self._rollout.take(change)
        if change.apply is not None and not self._applied(change.apply):
            self._settle(self._rollout.back("apply-failed"))
        self._report()

    def _applied(self, settings: Settings) -> bool:
        try:
            self._controlled.apply(settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the settings are at fault
            _log.exception("config_not_applied", error=type(error).__name__)
            return False
        return True

    # --- commands -----------------------------------------------------------------------------

    def _obey(self) -> None:
        ledger = self._opened()
        self._answer(ledger)
        while self._commands:
            payload, retained = self._commands[0]
            verdict = ledger.verdict(payload, self._wall(), retained=retained)
            if verdict is not None:
                self._judged(ledger, verdict)
                self._answer(ledger)
            self._commands.popleft()

    def _opened(self) -> Ledger:
        """Return the ledger; what an earlier process began and never answered is answered now."""
        if self._ledger is None:
            ledger = Ledger.of(self._journal.cursor(COMMANDS))
            for ident, entry in ledger.interrupted():
                ledger.done(ident)
                self._owed.append(self._result(ident, entry.command, "failed", "interrupted"))
            self._ledger = ledger
        return self._ledger

    def _judged(self, ledger: Ledger, verdict: Verdict) -> None:
        """Answer at once, or keep that the command is begun, and run it."""
        command = verdict.command
        if verdict.outcome is not None:
            self._owed.append(self._result(command.id, command.command, verdict.outcome, verdict.reason))
            return
        ledger.begun(command)
        try:
            self._journal.append([], source=COMMANDS, cursor=ledger.text)
        except (OSError, sqlite3.Error):
            del ledger.entries[command.id]
            raise
        self._owed += self._run(command)
        ledger.done(command.id)

    def _run(self, command: Command) -> list[Event]:
        """Run a command; returns its answer and what it brings."""
        brought: list[Event] = []
        outcome: CommandOutcome = "done"
        reason: str | None = None
        try:
            if command.command == "restart-source" and not self._controlled.restart(command.args["source"]):
                outcome, reason = "failed", "no-such-source"
            elif command.command == "flush":
                self._controlled.flush()
            elif command.command == "send-diagnostics":
                brought = [self._diagnostics()]
        except Exception as error:  # noqa: BLE001 - it ran, and that is its outcome
            _log.exception("command_failed", command=command.command, error=type(error).__name__)
            outcome, reason = "failed", "fault"
        return [*brought, self._result(command.id, command.command, outcome, reason)]

    def _answer(self, ledger: Ledger) -> None:
        """Keep the answers that are owed together with the ledger that knows of them."""
        if self._owed:
            self._journal.append(self._owed, source=COMMANDS, cursor=ledger.text)
            self._owed = []

    def _result(self, ident: str, command: str, outcome: CommandOutcome, reason: str | None) -> CommandResult:
        return CommandResult(n=1, t=self._wall(), id=ident, command=command, outcome=outcome, reason=reason)

    def _diagnostics(self) -> Event:
        figures = self._controlled.diagnostics()
        return msgspec.structs.replace(figures, n=1, t=self._wall(), config_version=self.version)
