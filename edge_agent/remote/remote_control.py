"""Carries out what is decided of remote configuration and commands: keeps, applies, answers; it must not decide itself.

All methods belong to the fleet's thread.  An outbox or disk that cannot be written only delays what is due.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from edge_agent.log import Logger
from edge_agent.remote.commands import Command, CommandDecision, CommandLog
from edge_agent.remote.rollout import DeviceFacts, Rollout, Transition, TrialHealth
from telemetry.core.protocol.events import AgentAlarm, CommandResult, ConfigResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.remote import AnswerLog, ControllableAgent
    from edge_agent.remote.config_file import RemoteConfigFile
    from edge_agent.remote.settings import RemoteSettings
    from telemetry.core.protocol.events import CommandOutcome, Event

_log = Logger(__name__)
ANSWERED_CURSOR, COMMANDS_CURSOR = "remote:answered", "remote:commands"
"""Names of the cursors in the outbox: the number of the last configuration answer, the commands' ledger."""
TRIAL_POLL_MS = 500
RETRY_AFTER_MS = 5_000
EXPIRY_POLL_MS = 60_000
MAX_QUEUED_COMMANDS = 32
"""Commands that may wait for one step; more than that is no operator."""


class RemoteControl:
    """One agent's remote side; `wall` gives Unix ms."""

    def __init__(
        self, agent: ControllableAgent, answer_log: AnswerLog, file: RemoteConfigFile, wall: Callable[[], int],
        rollout: Callable[..., Rollout] = Rollout,
    ) -> None:  # fmt: skip
        """Load what was kept. Raises OSError."""
        self._agent, self._answer_log, self._file, self._wall = agent, answer_log, file, wall
        state, self._file_unreadable = file.load()
        self._rollout = rollout(state)
        self._offered_payload: bytes | None = None
        self._queued_commands: deque[tuple[bytes, bool]] = deque(maxlen=MAX_QUEUED_COMMANDS)
        self._command_log: CommandLog | None = None
        self._pending_answers: list[Event] = []
        self._probe_row: int | None = None

    @property
    def version(self) -> int:
        """Return the version in force, 0 for `agent.toml` alone."""
        state = self._rollout.state
        document = state.trial or state.committed
        return document.version if document else 0

    def start(self) -> None:
        """Put the committed settings in force, before the agent's loop; a trial that was left is rolled back."""
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

    def on_message(self, channel: str, payload: bytes, now: int, *, retained: bool = False) -> None:
        """Put a message by for the next step; of configurations only the latest counts."""
        del now
        if channel == "config":
            self._offered_payload = payload
        elif channel == "command":
            self._queued_commands.append((payload, retained))

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
        """Say what is owed: the last answer, each once, and a file that was unreadable."""
        if self._file_unreadable:
            self._answer_log.append([AgentAlarm(n=1, t=self._wall(), alarm="config_unreadable", subject="remote")])
            self._file_unreadable = False
        state = self._rollout.state
        if state.answer is None or self._answer_log.cursor(ANSWERED_CURSOR) == str(state.answers):
            return
        version, outcome, reason = state.answer.version, state.answer.outcome, state.answer.reason
        event = ConfigResult(n=1, t=self._wall(), version=version, outcome=outcome, reason=reason)
        self._answer_log.append([event], source=ANSWERED_CURSOR, cursor=str(state.answers))
        _log.info("config_answered", version=version, outcome=outcome, reason=reason)

    def _advance_rollout(self, now: int) -> None:
        if self._rollout.is_on_trial():
            self._evaluate_trial(now)
        if not self._rollout.is_on_trial():
            self._commit_transition(self._rollout.check_expiry(self._wall()))
            self._take_offer(now)

    def _take_offer(self, now: int) -> None:
        """Take up the document that waits, if any."""
        if self._offered_payload is None:
            return
        names = frozenset(self._agent.source_names())
        facts = DeviceFacts(self._wall(), names, self._agent.outbox_size_mb())
        transition = self._rollout.on_offer(self._offered_payload, facts)
        self._rollout.start_trial(now, self._agent.failing_sources())
        self._probe_row = None
        self._commit_transition(transition)
        self._offered_payload = None

    def _evaluate_trial(self, now: int) -> None:
        if self._probe_row is None:
            _, self._probe_row = self._answer_log.append([self._diagnostics_event()])
        receipted = not self._answer_log.rows_by_number([self._probe_row])
        health = TrialHealth(self._agent.is_connected(), receipted, self._agent.failing_sources())
        self._commit_transition(self._rollout.evaluate_trial(health, now))

    def _commit_transition(self, transition: Transition | None) -> None:
        """Keep a change, then put it in force, then answer; settings that cannot be applied are taken back."""
        if transition is None:
            return
        self._file.save(transition.state)
        self._rollout.commit(transition)
        if transition.new_settings is not None and not self._apply_settings(transition.new_settings):
            self._commit_transition(self._rollout.roll_back("apply-failed"))
        self._report_outcome()

    def _apply_settings(self, settings: RemoteSettings) -> bool:
        try:
            self._agent.apply_settings(settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the settings are at fault
            _log.exception("config_not_applied", error=type(error).__name__)
            return False
        return True

    # --- commands -----------------------------------------------------------------------------

    def _run_commands(self) -> None:
        command_log = self._load_command_log()
        self._flush_answers(command_log)
        while self._queued_commands:
            payload, retained = self._queued_commands[0]
            decision = command_log.decide(payload, self._wall(), retained=retained)
            if decision is not None:
                self._handle_decision(command_log, decision)
                self._flush_answers(command_log)
            self._queued_commands.popleft()

    def _load_command_log(self) -> CommandLog:
        """Return the ledger; what an earlier process began and never answered is answered now."""
        if self._command_log is None:
            command_log = CommandLog.parse(self._answer_log.cursor(COMMANDS_CURSOR))
            for command_id, record in command_log.interrupted_commands():
                command_log.mark_done(command_id)
                self._pending_answers.append(self._command_result(command_id, record.command, "failed", "interrupted"))
            self._command_log = command_log
        return self._command_log

    def _handle_decision(self, command_log: CommandLog, decision: CommandDecision) -> None:
        """Answer at once, or keep that the command is begun, and run it."""
        command = decision.command
        if decision.outcome is not None:
            self._pending_answers.append(
                self._command_result(command.id, command.command, decision.outcome, decision.reason)
            )
            return
        command_log.mark_begun(command)
        try:
            self._answer_log.append([], source=COMMANDS_CURSOR, cursor=command_log.json_text)
        except (OSError, sqlite3.Error):
            del command_log.records[command.id]
            raise
        self._pending_answers += self._run_command(command)
        command_log.mark_done(command.id)

    def _run_command(self, command: Command) -> list[Event]:
        """Run a command; returns its answer and what it brings."""
        extra_events: list[Event] = []
        outcome: CommandOutcome = "done"
        reason: str | None = None
        try:
            if command.command == "restart-source" and not self._agent.restart_source(command.args["source"]):
                outcome, reason = "failed", "no-such-source"
            elif command.command == "flush":
                self._agent.flush()
            elif command.command == "send-diagnostics":
                extra_events = [self._diagnostics_event()]
        except Exception as error:  # noqa: BLE001 - it ran, and that is its outcome
            _log.exception("command_failed", command=command.command, error=type(error).__name__)
            outcome, reason = "failed", "fault"
        return [*extra_events, self._command_result(command.id, command.command, outcome, reason)]

    def _flush_answers(self, command_log: CommandLog) -> None:
        """Keep the answers that are owed together with the ledger that knows of them."""
        if self._pending_answers:
            self._answer_log.append(self._pending_answers, source=COMMANDS_CURSOR, cursor=command_log.json_text)
            self._pending_answers = []

    def _command_result(
        self, command_id: str, command: str, outcome: CommandOutcome, reason: str | None
    ) -> CommandResult:
        return CommandResult(n=1, t=self._wall(), id=command_id, command=command, outcome=outcome, reason=reason)

    def _diagnostics_event(self) -> Event:
        figures = self._agent.diagnostics_event()
        return msgspec.structs.replace(figures, n=1, t=self._wall(), config_version=self.version)
