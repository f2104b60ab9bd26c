"""Carries an operation through its stages: records, sends, collects answers, withdraws what is unanswered.

It must not decide what is sent next or when to stop: `stages` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from motcua.device_operations.broker_sender import has_no_receiver, is_refused
from motcua.device_operations.orders import CommandOrder, ConfigOrder, Order
from motcua.device_operations.record import OperationEnded, OrderAnswered, OrderSent, OrderWithdrawn
from motcua.device_operations.stages import NO_ANSWER, OFFLINE, REFUSED, OrderAnswer, OrderedDevice, StagedOperation
from motcua.system import monotonic_ms, wall_ms
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.protocol.events import CommandResult, ConfigResult
from telemetry.core.protocol.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from motcua.device_operations.broker_sender import BrokerSender
    from motcua.device_operations.record import OperationRecord
    from motcua.device_operations.signing import MessageSigner
    from telemetry.core.protocol.topics import TopicChannel
    from telemetry.store import Store

POLL_S = 0.5
EARLIER_MS = 3_600_000
"""Answers may be dated so much before the operation: devices' clocks differ."""


def answer_of(order: Order, event: object) -> tuple[str, str] | None:
    """Return outcome and reason when an event answers the order; None otherwise."""
    match order, event:
        case ConfigOrder(), ConfigResult() if event.version == order.version:
            return event.outcome, event.reason or ""
        case CommandOrder(), CommandResult() if event.id == order.id:
            return event.outcome, event.reason or ""
    return None


@dataclass(slots=True)
class AnswerReader:
    """Reads devices' answers to one order from the store; `since` is when the operation began, Unix ms."""

    store: Store
    order: Order
    since: int

    def read(self, devices: Iterable[OrderedDevice], now: int) -> list[OrderAnswer]:
        """Return the answers of these devices; of several the last one counts. `now` is Unix ms."""
        centres: dict[str, set[str]] = {}
        for device in devices:
            centres.setdefault(device.centre, set()).add(device.device)
        window = Window(self.since - EARLIER_MS, now + DAY)
        answers: dict[str, OrderAnswer] = {}
        for centre, names in centres.items():
            for stored in self.store.events(centre, window, ("config.result", "command.result")):
                answer = answer_of(self.order, stored.event)
                if answer is not None and stored.device in names:
                    answers[stored.device] = OrderAnswer(stored.device, *answer, at=stored.event.t)
        return list(answers.values())


@dataclass(slots=True)
class OperationRunner:
    """One operation with all that it uses; `on_change` is called after each change of a device's status."""

    ident: str
    order: Order
    operation: StagedOperation
    record: OperationRecord
    sender: BrokerSender
    answers: AnswerReader
    signer: MessageSigner | None
    on_change: Callable[[], object] = lambda: None
    is_interrupted: Callable[[], bool] = lambda: False
    _channel: TopicChannel = field(init=False)

    def __post_init__(self) -> None:
        """Take the channel from the order."""
        self._channel = "config" if isinstance(self.order, ConfigOrder) else "command"

    def run(self) -> str:
        """Run until every device has answered, or too many have failed; returns why it stopped, empty when complete.

        Raises BrokerUnavailable, StoreUnavailable and MotcuaError of the record; the operation can be resumed then.
        """
        operation = self.operation
        while not operation.is_complete and not operation.is_stopped and not self.is_interrupted():
            for device in operation.due_devices():
                self._send(device)
            self._collect()
            if operation.waiting_devices():
                self.sender.wait(POLL_S)
        reason = self._reason()
        if reason:
            self._withdraw()
        self.record.append(OperationEnded(at=wall_ms(), operation=self.ident, reason=reason))
        return reason

    def _reason(self) -> str:
        if self.operation.is_stopped:
            return f"{self.operation.failures} failed, {self.operation.max_failures} may"
        return "" if self.operation.is_complete else "interrupted"

    def _send(self, device: OrderedDevice) -> None:
        now = wall_ms()
        topic = Topic(device.centre, device.device, self._channel).path
        payload = self.order.payload(now)
        digest = sha256(payload).hexdigest()
        self.record.append(OrderSent(at=now, operation=self.ident, device=device.device, digest=digest))
        properties = self.signer.sign(topic, payload) if self.signer else None
        code = self.sender.publish(topic, payload, retain=self._channel == "config", properties=properties)
        self.operation.mark_sent(device.device, monotonic_ms())
        self.on_change()
        if is_refused(code):
            self._answer(OrderAnswer(device.device, REFUSED, f"broker-{code:#04x}", wall_ms()))
        elif has_no_receiver(code) and self._channel == "command":
            self._answer(OrderAnswer(device.device, OFFLINE, "no-connection", wall_ms()))

    def _collect(self) -> None:
        waiting = self.operation.waiting_devices()
        for answer in self.answers.read(waiting, wall_ms()):
            self._answer(answer)
        for device in self.operation.overdue_devices(monotonic_ms()):
            self._answer(OrderAnswer(device.device, NO_ANSWER, "", wall_ms()))

    def _answer(self, answer: OrderAnswer) -> None:
        if self.operation.add_answer(answer):
            self.record.append(OrderAnswered(at=wall_ms(), operation=self.ident, answer=answer))
            self.on_change()

    def _withdraw(self) -> None:
        """Remove the retained configurations that no device has answered, so that none is tried after the stop."""
        if self._channel != "config":
            return
        answers = self.operation.answers
        silent = {device for device, answer in answers.items() if answer.outcome == NO_ANSWER}
        for device in self.operation.devices:
            if device.device in silent or self.operation.status_of(device.device) == "sent":
                self.record.append(OrderWithdrawn(at=wall_ms(), operation=self.ident, device=device.device))
                self.sender.publish(Topic(device.centre, device.device, "config").path, b"", retain=True)
