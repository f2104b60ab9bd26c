"""Supervision: what is started, started again and given up, first as pure decisions, then with real threads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent.outbox import Outbox
from edge_agent.sources.restart_policy import RestartLimits, RestartPolicy, SourceAction, SourceObservation
from edge_agent.sources.supervisor import Supervisor, event_subject
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.sources import Sink, Stop

LIMITS = RestartLimits(hang_timeout_ms=1_000, stop_timeout_ms=500, max_wait_ms=10_000, max_stuck_threads=2)
START = SourceAction(start=True)
EVENT = ev.PaymentResult(n=1, t=1, outcome="ok")


def running(beat_at: int = 0, *, idle: bool = False, stuck: int = 0) -> SourceObservation:
    return SourceObservation(alive=True, idle=idle, last_beat_at=beat_at, stuck_threads=stuck)


def failed(fault: str = "source_failed", stuck: int = 0) -> SourceObservation:
    return SourceObservation(alive=False, idle=True, last_beat_at=0, fault=fault, stuck_threads=stuck)  # type: ignore[arg-type]


ENDED = SourceObservation(alive=False, idle=True, last_beat_at=0)


def test_a_source_is_started_and_left_alone_while_it_goes_on() -> None:
    watch = RestartPolicy(LIMITS)
    assert watch.decide(ENDED, 0, 0.5) == START
    assert watch.decide(running(900), 1_000, 0.5) == SourceAction()
    assert watch.decide(running(0, idle=True), 900_000, 0.5) == SourceAction()
    assert watch.is_healthy()


def test_a_source_that_ends_of_its_own_will_is_done() -> None:
    watch = RestartPolicy(LIMITS)
    watch.decide(ENDED, 0, 0.5)
    assert [watch.decide(ENDED, t, 0.5) for t in (1, 10_000)] == [SourceAction(), SourceAction()]
    assert watch.is_healthy()


def test_faults_are_told_once_in_a_row_and_waits_grow() -> None:
    watch, now, waits = RestartPolicy(LIMITS), 0, []
    alarms = []
    for _ in range(6):
        assert watch.decide(ENDED, now, 0.5) == START
        order = watch.decide(failed(), now, 0.5)
        assert (order.fault, order.start) == ("source_failed", False)
        alarms.append(order.alarm)
        assert not watch.is_healthy()
        waits.append(watch.start_due_at - now)
        assert watch.decide(failed(), watch.start_due_at - 1, 0.5) == SourceAction()
        now = watch.start_due_at
    assert alarms == ["source_failed", None, None, None, None, None]
    assert waits == [700, 1_200, 2_200, 4_200, 5_200, 5_200]


def test_a_silent_source_is_given_up_and_another_started() -> None:
    watch = RestartPolicy(LIMITS)
    watch.decide(ENDED, 0, 0.5)
    assert watch.decide(running(0), 1_000, 0.5) == SourceAction()
    assert watch.decide(running(0), 1_001, 0.5) == SourceAction(give_up=True, fault="source_hung", alarm="source_hung")
    assert watch.decide(running(0, stuck=1), watch.start_due_at, 0.5) == START
    assert watch.decide(running(watch.start_due_at), watch.start_due_at + 1_001, 0.5).alarm is None


def test_no_more_is_started_while_too_many_are_stuck() -> None:
    watch = RestartPolicy(LIMITS)
    watch.decide(ENDED, 0, 0.5)
    watch.decide(running(0), 2_000, 0.5)
    assert watch.decide(running(0, stuck=2), 60_000, 0.5) == SourceAction()
    assert watch.decide(running(0, stuck=1), 60_001, 0.5) == START


def test_after_a_quiet_while_a_fault_is_news_again() -> None:
    watch = RestartPolicy(LIMITS)
    watch.decide(ENDED, 0, 0.0)
    watch.decide(failed(), 1, 0.0)
    watch.decide(ENDED, 1_000, 0.0)
    assert not watch.is_healthy()
    watch.decide(running(70_000), 70_000, 0.0)
    assert watch.is_healthy()
    assert watch.decide(failed(), 70_001, 0.0).alarm == "source_failed"


def test_a_restart_waits_for_the_end_then_goes_on_without_it() -> None:
    watch = RestartPolicy(LIMITS)
    watch.decide(ENDED, 0, 0.5)
    watch.request_restart(10)
    assert watch.decide(running(10), 20, 0.5) == SourceAction()
    assert watch.decide(running(10), 511, 0.5) == SourceAction(start=True, give_up=True)
    watch.request_restart(600)
    assert watch.decide(ENDED, 601, 0.5) == START


NAMES = [("probe:vn-ngsp", "probe-vn-ngsp"), ("file:Đơn/x.jsonl", "file-n-x-jsonl"), ("đ", "source")]


@pytest.mark.parametrize(("name", "subject"), NAMES)
def test_a_name_becomes_an_id(name: str, subject: str) -> None:
    assert event_subject(name) == subject


# --- with threads -----------------------------------------------------------------------------


class Driver:
    """A source that hangs in a call that knows no stop, until `released`; then it writes, too late."""

    def __init__(self, name: str = "driver") -> None:
        self.name = name
        self.runs = 0
        self.released = threading.Event()
        self.errors: list[BaseException] = []
        self.hang = True

    def run(self, outbox: Sink, stop: Stop) -> None:
        self.runs += 1
        if self.hang:
            self.released.wait()
            try:
                outbox.append([EVENT], source=self.name, cursor="late")
            except RuntimeError as error:
                self.errors.append(error)
                raise
        while not stop.wait(0.01):
            outbox.append([EVENT], source=self.name, cursor="heir")


class Place:
    """A supervisor whose clock a test sets."""

    def __init__(self, outbox: Outbox) -> None:
        self.now, self.told = 0, list[tuple[str, str]]()
        self.outbox = outbox
        self.supervisor = Supervisor(outbox, self.hear, lambda: self.now, lambda: 0.0, LIMITS)

    def hear(self, alarm: str, name: str) -> None:
        self.told.append((alarm, name))

    def after(self, ms: int) -> None:
        self.now += ms
        self.supervisor.step()

    def until(self, true: Callable[[], bool], ms: int = 10) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline
            self.after(ms)
            time.sleep(0.005)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    box = Outbox(tmp_path / "o.db", lambda: "s")
    one = Place(box)
    yield one
    one.supervisor.stop_all(5)
    box.close()


def test_a_hung_driver_stops_no_other_and_cannot_write_beside_its_heir(place: Place) -> None:
    hung, good = Driver("hung"), Driver("good")
    good.hang = False
    place.supervisor.add("hung", lambda: hung)
    place.supervisor.add("good", lambda: good)
    place.after(0)
    place.until(lambda: hung.runs == 1 and place.outbox.cursor("good") == "heir")
    hung.hang = False
    place.after(1_001)
    assert place.told == [("source_hung", "hung")]
    place.until(lambda: place.outbox.cursor("hung") == "heir")
    hung.released.set()
    place.until(lambda: bool(hung.errors))
    assert place.outbox.cursor("hung") == "heir"
    assert place.supervisor.fault_counts() == {"good": 0, "hung": 1}
    assert good.runs == 1


def test_a_failing_source_is_started_again(place: Place) -> None:
    class Failing:
        name, runs = "failing", 0

        def run(self, outbox: Sink, stop: Stop) -> None:
            del outbox
            Failing.runs += 1
            if Failing.runs < 3:
                raise OSError("no device")
            stop.wait()

    place.supervisor.add("failing", Failing)
    place.until(lambda: Failing.runs == 3, 500)
    assert place.told == [("source_failed", "failing")]
    assert place.supervisor.failing_sources() == {"failing"}
    place.until(lambda: not place.supervisor.failing_sources(), 10_000)


def test_a_restart_builds_the_source_afresh(place: Place) -> None:
    built: list[Driver] = []

    def build() -> Driver:
        built.append(Driver())
        built[-1].hang = False
        return built[-1]

    place.supervisor.add("driver", build)
    place.until(lambda: len(built) == 1 and built[0].runs == 1)
    assert place.supervisor.restart("driver")
    assert not place.supervisor.restart("other")
    place.until(lambda: len(built) == 2 and built[1].runs == 1)
    assert place.told == []
    assert place.supervisor.remove("driver")
    assert place.supervisor.source_names() == []
