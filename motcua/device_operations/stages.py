"""Decides to which devices an order goes next, and when it stops by itself. Pure; it must not send or read a clock.

Stages: one device, then 5 % of all, then the rest. A stage begins when every device of the one before has answered or
its time is over, and the failures are within the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECOND_STAGE_ONE_IN = 20
"""Of so many devices one has the order by the end of the second stage: 5 %."""
MAX_WAITING = 50
"""Devices that may wait for their answers at once: a bad order reaches no more of them before it stops."""
SUCCESSES = frozenset({"applied", "done"})
NO_ANSWER, OFFLINE, REFUSED = "no-answer", "offline", "refused"
"""Outcomes that no device gives: silence, no device to receive the command, a broker that refused the message."""
DeviceStatus = Literal["waiting", "sent", "done", "failed"]


@dataclass(frozen=True, slots=True)
class OrderedDevice:
    """A device of an operation."""

    device: str
    centre: str


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """How an order ended for a device: its own answer, or NO_ANSWER, OFFLINE or REFUSED; `at` is Unix ms."""

    device: str
    outcome: str
    reason: str = ""
    at: int = 0

    @property
    def is_success(self) -> bool:
        """Return whether the device did what was ordered."""
        return self.outcome in SUCCESSES


def plan_stages(
    devices: Sequence[OrderedDevice], operation: str, first: str = ""
) -> tuple[tuple[OrderedDevice, ...], ...]:
    """Return the devices in stages of 1, 5 % of all (with the first one), and the rest; no stage is empty.

    Their order is that of a digest with the operation's id, so that the first ones are of different centres and not
    always the same; `first` names the device that begins.

    >>> [len(stage) for stage in plan_stages([OrderedDevice(f"d{n}", "c") for n in range(100)], "1")]
    [1, 4, 95]
    """
    ordered = sorted(devices, key=lambda one: (one.device != first, _digest(operation, one.device)))
    second = max(1, -(-len(ordered) // SECOND_STAGE_ONE_IN))
    bounds = (0, 1, second, len(ordered))
    return tuple(tuple(ordered[a:b]) for a, b in pairwise(bounds) if ordered[a:b])


def _digest(operation: str, device: str) -> bytes:
    return blake2b(f"{operation} {device}".encode(), digest_size=8).digest()


@dataclass(slots=True)
class StagedOperation:
    """One order on its way through its stages; times are monotonic ms.

    `former` are answers of an earlier run of the same operation: those devices get nothing again, and their failures
    do not count any more, because an operator has gone on after seeing them.
    """

    stages: tuple[tuple[OrderedDevice, ...], ...]
    answer_within_ms: int
    max_failures: int = 0
    former: Mapping[str, OrderAnswer] = field(default_factory=dict)
    answers: dict[str, OrderAnswer] = field(init=False)
    _sent: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the answers of earlier runs."""
        self.answers = dict(self.former)

    @property
    def devices(self) -> tuple[OrderedDevice, ...]:
        """Return all devices in their order."""
        return tuple(device for stage in self.stages for device in stage)

    @property
    def failures(self) -> int:
        """Return how many devices have failed in this run."""
        return sum(not a.is_success for device, a in self.answers.items() if device not in self.former)

    @property
    def is_stopped(self) -> bool:
        """Return whether more devices have failed than may."""
        return self.failures > self.max_failures

    @property
    def is_complete(self) -> bool:
        """Return whether every device has an answer, its own or that its time was over."""
        return all(one.device in self.answers for one in self.devices)

    @property
    def current_stage(self) -> int:
        """Return the index of the first stage with a device without an answer; of the last one when all have one."""
        open_stages = (n for n, stage in enumerate(self.stages) if any(d.device not in self.answers for d in stage))
        return next(open_stages, len(self.stages) - 1)

    def waiting_devices(self) -> tuple[OrderedDevice, ...]:
        """Return the devices to which the order was sent and which have not answered."""
        return tuple(one for one in self.devices if self.status_of(one.device) == "sent")

    def due_devices(self) -> tuple[OrderedDevice, ...]:
        """Return the devices to which the order is to be sent now."""
        if self.is_stopped:
            return ()
        room = MAX_WAITING - len(self.waiting_devices())
        stage = self.stages[self.current_stage]
        return tuple(one for one in stage if self.status_of(one.device) == "waiting")[: max(0, room)]

    def status_of(self, device: str) -> DeviceStatus:
        """Return where the order is for a device."""
        answer = self.answers.get(device)
        if answer is not None:
            return "done" if answer.is_success else "failed"
        return "sent" if device in self._sent else "waiting"

    def mark_sent(self, device: str, now: int) -> None:
        """Record that the order was sent."""
        self._sent[device] = now

    def add_answer(self, answer: OrderAnswer) -> bool:
        """Record an answer; False when the device has one already."""
        if answer.device in self.answers:
            return False
        self.answers[answer.device] = answer
        return True

    def overdue_devices(self, now: int) -> tuple[OrderedDevice, ...]:
        """Return the devices that have not answered within their time."""
        return tuple(one for one in self.waiting_devices() if now - self._sent[one.device] >= self.answer_within_ms)
