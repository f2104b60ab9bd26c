"""Begins an operation, or takes up one that stopped, on the record; it must not send anything."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motcua.device_operations.orders import ConfigOrder
from motcua.device_operations.record import OperationBegun, OperationResumed, OrderAnswered
from motcua.device_operations.runner import AnswerReader
from motcua.device_operations.stages import NO_ANSWER, OFFLINE, REFUSED, StagedOperation
from motcua.system import wall_ms
from telemetry.core.calendar.windows import DAY, Window
from telemetry.core.protocol.events import ConfigResult
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from motcua.device_operations.orders import Order
    from motcua.device_operations.record import OperationRecord
    from motcua.device_operations.stages import OrderedDevice
    from telemetry.store import Store

OWN_OUTCOMES = frozenset({NO_ANSWER, OFFLINE, REFUSED})
"""Outcomes that are no device's answer: those devices get the order again when the operation goes on."""
ANSWERS_OF_MS = 400 * DAY
"""How far back answers are read for the number of the next version."""


@dataclass(frozen=True, slots=True)
class OperationTerms:
    """How an operation goes: ms within which each device must answer, and how many may fail; by whom it is signed."""

    answer_within_ms: int
    max_failures: int
    signer: str = ""


@dataclass(frozen=True, slots=True)
class StartedOperation:
    """An operation that is on record, ready to run."""

    ident: str
    order: Order
    operation: StagedOperation
    answers: AnswerReader


def next_version(record: OperationRecord, store: Store, devices: Iterable[OrderedDevice]) -> int:
    """Return one more than any version that was sent by an operation, or answered by a device of these centres."""
    now = wall_ms()
    window = Window(now - ANSWERS_OF_MS, now + DAY)
    answered = [
        stored.event.version
        for centre in {device.centre for device in devices}
        for stored in store.events(centre, window, ("config.result",))
        if isinstance(stored.event, ConfigResult)
    ]
    return max(record.highest_version(), *answered, 0) + 1 if answered else record.highest_version() + 1


def begin_operation(
    record: OperationRecord,
    store: Store,
    ident: str,
    order: Order,
    stages: tuple[tuple[OrderedDevice, ...], ...],
    terms: OperationTerms,
) -> StartedOperation:
    """Put a new operation on record."""
    at = wall_ms()
    record.append(
        OperationBegun(
            at=at, operation=ident, user=getpass.getuser(), signer=terms.signer, order=order, stages=stages,
            answer_within_ms=terms.answer_within_ms, max_failures=terms.max_failures,
        )
    )  # fmt: skip
    operation = StagedOperation(stages, terms.answer_within_ms, terms.max_failures)
    return StartedOperation(ident, order, operation, AnswerReader(store, order, at))


def resume_operation(record: OperationRecord, store: Store, ident: str, channel: str, signer: str) -> StartedOperation:
    """Take up an operation that stopped: devices that have answered since are not asked again. Raises ConfigError."""
    recorded = record.operations.get(ident)
    if recorded is None or (channel == "config") != isinstance(recorded.begun.order, ConfigOrder):
        remedy = "`motcua device operations` lists them"
        raise ConfigError([Fault("command line", 0, "--resume", f"there is no such {channel} {ident!r}", remedy)])
    if not recorded.reason and recorded.reason is not None:
        raise ConfigError([Fault("command line", 0, "--resume", f"{ident} is complete", "begin a new operation")])
    begun = recorded.begun
    former = {device: a for device, a in recorded.answers.items() if a.outcome not in OWN_OUTCOMES}
    record.append(OperationResumed(at=wall_ms(), operation=ident, user=getpass.getuser(), signer=signer))
    answers = AnswerReader(store, begun.order, begun.at)
    open_devices = [one for stage in begun.stages for one in stage if one.device not in former]
    for answer in answers.read(open_devices, wall_ms()):
        record.append(OrderAnswered(at=wall_ms(), operation=ident, answer=answer))
        former[answer.device] = answer
    operation = StagedOperation(begun.stages, begun.answer_within_ms, begun.max_failures, former)
    return StartedOperation(ident, begun.order, operation, answers)
