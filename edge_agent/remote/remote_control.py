"""Executes decisions about remote configuration and commands: saves, applies, answers; it must not decide itself.

All methods run in the loop's thread.  An outbox or disk that cannot be written only delays what is due.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from edge_agent.log import Logger
from edge_agent.remote.commands import Command, CommandDecision, CommandLog
from edge_agent.remote.rollout import DeviceFacts, Rollout, RolloutState, Transition, TrialHealth
from telemetry.core.protocol.events import AgentAlarm, CommandResult, ConfigResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge_agent.outbox import Outbox
    from edge_agent.remote.controls import AgentControls
    from edge_agent.remote.settings import RemoteSettings
    from edge_agent.remote.signature import SignatureCheck
    from telemetry.core.protocol.events import CommandOutcome, Event
    from telemetry.core.protocol.topics import TopicChannel

_log = Logger(__name__)
ANSWERED_CURSOR, COMMANDS_CURSOR = "remote:answered", "remote:commands"
"""Names of the cursors in the outbox: the number of the last configuration answer, the command log."""
TRIAL_POLL_MS = 500
RETRY_AFTER_MS = 5_000
EXPIRY_POLL_MS = 60_000
MAX_QUEUED_COMMANDS = 32
"""Commands that may wait for one step; no operator sends more, so older ones are dropped."""


@dataclass(frozen=True, slots=True)
class _RemoteMessage:
    """A message that waits for the next step."""

    payload: bytes
    retained: bool
    properties: Mapping[str, str] = field(default_factory=dict)


class RemoteConfigFile:
    """The remote configuration in one small file beside the outbox, replaced whole and synced to disk by `save`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[RolloutState, bool]:
        """Return the saved state, and whether the file was unreadable and has been moved aside. Raises OSError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=RolloutState), False
        except FileNotFoundError:
            return RolloutState(), False
        except (msgspec.MsgspecError, ValueError, RecursionError):
            number = 1
            while (aside := self._path.with_name(f"{self._path.name}.unreadable-{number}")).exists():
                number += 1
            self._path.replace(aside)
            return RolloutState(), True

    def save(self, state: RolloutState) -> None:
        """Replace the saved state. Raises OSError; the previous state then remains."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class RemoteControl:
    """Handles one agent's remote configuration and commands; `wall` returns Unix ms."""

    def __init__(
        self,
        controls: AgentControls,
        outbox: Outbox,
        file: RemoteConfigFile,
        wall: Callable[[], int],
        signatures: SignatureCheck | None = None,
    ) -> None:
        """Load the saved configuration; without `signatures` nothing needs to be signed. Raises OSError."""
        self._controls, self._outbox, self._file, self._wall = controls, outbox, file, wall
        state, self._file_unreadable = file.load()
        self._rollout = Rollout(state)
        self._signatures = signatures
        self._offer: _RemoteMessage | None = None
        self._queued_commands: deque[_RemoteMessage] = deque(maxlen=MAX_QUEUED_COMMANDS)
        self._command_log: CommandLog | None = None
        self._pending_answers: list[Event] = []
        self._probe_row: int | None = None

    @property
    def version(self) -> int:
        """Return the version in use, 0 for `agent.toml` alone."""
        state = self._rollout.state
        document = state.trial or state.committed
        return document.version if document else 0

    def start(self) -> None:
        """Apply the committed settings, before the agent's loop starts; an unfinished trial is rolled back."""
        transition = self._rollout.recover()
        if transition is not None:
            self._rollout.commit(transition)
            try:
                self._file.save(transition.state)
            except OSError as error:
                _log.error("config_not_kept", error=str(error))
        settings = self._rollout.state.committed_settings
        if self._rollout.state.committed is not None or transition is not None:
            self._apply_settings(settings)

    def on_message(
        self,
        channel: str,
        payload: bytes,
        now: int,
        *,
        retained: bool = False,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Queue a message for the next step; of configurations only the latest counts."""
        del now
        message = _RemoteMessage(payload, retained, properties or {})
        if channel == "config":
            self._offer = message
        elif channel == "command":
            self._queued_commands.append(message)

    def _signature_refusal(self, channel: TopicChannel, message: _RemoteMessage) -> str:
        """Return why a message's signature is refused; empty when it is not."""
        if self._signatures is None or not message.payload:
            return ""
        return self._signatures.refusal(channel, message.payload, message.properties)

    def step(self, now: int) -> int:
        """Do what is due; returns when to be called again at the latest (monotonic ms)."""
        try:
            self._report_outcome()
            self._advance_rollout(now)
            self._run_commands()
        except (OSError, sqlite3.Error) as error:
            _log.warning("remote_delayed", error=str(error))
            return now + RETRY_AFTER_MS
        return now + (TRIAL_POLL_MS if self._rollout.is_on_trial() else EXPIRY_POLL_MS)

    # --- configuration ------------------------------------------------------------------------

    def _report_outcome(self) -> None:
        """Append pending reports: the last answer, each once, and a file that was unreadable."""
        if self._file_unreadable:
            self._outbox.append([AgentAlarm(n=1, t=self._wall(), alarm="config_unreadable", subject="remote")])
            self._file_unreadable = False
        state = self._rollout.state
        if state.answer is None or self._outbox.cursor(ANSWERED_CURSOR) == str(state.answers):
            return
        version, outcome, reason = state.answer.version, state.answer.outcome, state.answer.reason
        event = ConfigResult(n=1, t=self._wall(), version=version, outcome=outcome, reason=reason)
        self._outbox.append([event], source=ANSWERED_CURSOR, cursor=str(state.answers))
        _log.info("config_answered", version=version, outcome=outcome, reason=reason)

    def _advance_rollout(self, now: int) -> None:
        if self._rollout.is_on_trial():
            self._evaluate_trial(now)
        if not self._rollout.is_on_trial():
            self._commit_transition(self._rollout.check_expiry(self._wall()))
            self._take_offer(now)

    def _take_offer(self, now: int) -> None:
        """Process the document that waits, if any."""
        offer = self._offer
        if offer is None:
            return
        names = frozenset(self._controls.source_names())
        refusal = self._signature_refusal("config", offer)
        facts = DeviceFacts(self._wall(), names, self._controls.outbox_size_mb(), refusal)
        transition = self._rollout.on_offer(offer.payload, facts)
        self._rollout.start_trial(now, self._controls.failing_sources())
        self._probe_row = None
        self._commit_transition(transition)
        self._offer = None

    def _evaluate_trial(self, now: int) -> None:
        if self._probe_row is None:
            _, self._probe_row = self._outbox.append([self._diagnostics_event()])
        receipted = not self._outbox.rows_by_number([self._probe_row])
        health = TrialHealth(self._controls.is_connected(), receipted, self._controls.failing_sources())
        self._commit_transition(self._rollout.evaluate_trial(health, now))

    def _commit_transition(self, transition: Transition | None) -> None:
        """Save a transition, then apply it, then answer; settings that cannot be applied are rolled back."""
        if transition is None:
            return
        self._file.save(transition.state)
        self._rollout.commit(transition)
        if transition.state.trial is not None:
            _log.info("config_on_trial", version=transition.state.trial.version)
        if transition.new_settings is not None and not self._apply_settings(transition.new_settings):
            self._commit_transition(self._rollout.roll_back("apply-failed"))
        self._report_outcome()

    def _apply_settings(self, settings: RemoteSettings) -> bool:
        try:
            self._controls.apply_settings(settings)
        except Exception as error:  # noqa: BLE001 - any exception means that the settings cannot be applied
            _log.exception("config_not_applied", error=type(error).__name__)
            return False
        return True

    # --- commands -----------------------------------------------------------------------------

    def _run_commands(self) -> None:
        command_log = self._load_command_log()
        self._flush_answers(command_log)
        while self._queued_commands:
            message = self._queued_commands[0]
            refusal = self._signature_refusal("command", message)
            decision = command_log.decide(
                message.payload, self._wall(), retained=message.retained, signature_refusal=refusal
            )
            if decision is not None:
                self._handle_decision(command_log, decision)
                self._flush_answers(command_log)
            self._queued_commands.popleft()

    def _load_command_log(self) -> CommandLog:
        """Return the command log; commands that an earlier process began and never answered are answered now."""
        if self._command_log is None:
            command_log = CommandLog.parse(self._outbox.cursor(COMMANDS_CURSOR))
            for command_id, record in command_log.interrupted_commands():
                command_log.mark_done(command_id)
                self._pending_answers.append(self._command_result(command_id, record.command, "failed", "interrupted"))
            self._command_log = command_log
        return self._command_log

    def _handle_decision(self, command_log: CommandLog, decision: CommandDecision) -> None:
        """Answer at once, or record that the command has begun, then run it."""
        command = decision.command
        if decision.outcome is not None:
            result = self._command_result(command.id, command.command, decision.outcome, decision.reason)
            self._pending_answers.append(result)
            return
        command_log.mark_begun(command)
        try:
            self._outbox.append([], source=COMMANDS_CURSOR, cursor=command_log.json_text)
        except (OSError, sqlite3.Error):
            del command_log.records[command.id]
            raise
        self._pending_answers += self._run_command(command)
        command_log.mark_done(command.id)

    def _run_command(self, command: Command) -> list[Event]:
        """Run a command; returns its answer, after the events it produced."""
        extra_events: list[Event] = []
        outcome: CommandOutcome = "done"
        reason: str | None = None
        try:
            if command.command == "restart-source" and not self._controls.restart_source(command.args["source"]):
                outcome, reason = "failed", "no-such-source"
            elif command.command == "flush":
                self._controls.flush()
            elif command.command == "send-diagnostics":
                extra_events = [self._diagnostics_event()]
        except Exception as error:  # noqa: BLE001 - the command ran, and this is its outcome
            _log.exception("command_failed", command=command.command, error=type(error).__name__)
            outcome, reason = "failed", "fault"
        return [*extra_events, self._command_result(command.id, command.command, outcome, reason)]

    def _flush_answers(self, command_log: CommandLog) -> None:
        """Append the pending answers together with the command log that records them."""
        if self._pending_answers:
            self._outbox.append(self._pending_answers, source=COMMANDS_CURSOR, cursor=command_log.json_text)
            self._pending_answers = []

    def _command_result(
        self, command_id: str, command: str, outcome: CommandOutcome, reason: str | None
    ) -> CommandResult:
        return CommandResult(n=1, t=self._wall(), id=command_id, command=command, outcome=outcome, reason=reason)

    def _diagnostics_event(self) -> Event:
        figures = self._controls.diagnostics_event()
        return msgspec.structs.replace(figures, n=1, t=self._wall(), config_version=self.version)
