"""Stages of an operation: 1, 5 %, all; it stops at more failures than may, and goes on without asking anybody twice."""

from __future__ import annotations

from hypothesis import given, strategies as st

from motcua.device_operations.stages import (
    MAX_WAITING,
    NO_ANSWER,
    OrderAnswer,
    OrderedDevice,
    StagedOperation,
    plan_stages,
)


def devices(count: int) -> list[OrderedDevice]:
    return [OrderedDevice(f"d{n}", f"c{n % 7}") for n in range(count)]


@given(st.integers(1, 700), st.text(max_size=5))
def test_every_device_is_in_one_stage_and_the_second_ends_at_five_per_cent(count: int, operation: str) -> None:
    stages = plan_stages(devices(count), operation)
    flat = [device for stage in stages for device in stage]
    assert sorted(d.device for d in flat) == sorted(d.device for d in devices(count))
    assert len(stages[0]) == 1
    assert all(stages)
    if len(stages) == 3:
        assert len(stages[0]) + len(stages[1]) == -(-count * 5 // 100)


def test_sizes_by_number_of_devices() -> None:
    sizes = {n: [len(stage) for stage in plan_stages(devices(n), "1")] for n in (1, 2, 20, 21, 40, 100, 300)}
    assert sizes == {
        1: [1], 2: [1, 1], 20: [1, 19], 21: [1, 1, 19], 40: [1, 1, 38], 100: [1, 4, 95], 300: [1, 14, 285],
    }  # fmt: skip


def test_the_first_device_may_be_named_and_the_order_of_the_list_does_not_matter() -> None:
    assert plan_stages(devices(50), "1", "d49")[0] == (OrderedDevice("d49", "c0"),)
    assert plan_stages(devices(50), "1") == plan_stages(devices(50)[::-1], "1")
    assert plan_stages(devices(50), "1") != plan_stages(devices(50), "2")


def run(operation: StagedOperation, outcome: str = "done", now: int = 0) -> list[str]:
    """Send what is due and let every device answer; returns the devices."""
    due = [one.device for one in operation.due_devices()]
    for device in due:
        operation.mark_sent(device, now)
        operation.add_answer(OrderAnswer(device, outcome))
    return due


def test_a_stage_begins_when_the_one_before_has_answered() -> None:
    operation = StagedOperation(plan_stages(devices(40), "1"), 1_000)
    first, second, _ = operation.stages
    assert operation.due_devices() == first
    operation.mark_sent(first[0].device, 0)
    assert (operation.due_devices(), operation.status_of(first[0].device)) == ((), "sent")
    assert operation.add_answer(OrderAnswer(first[0].device, "applied"))
    assert not operation.add_answer(OrderAnswer(first[0].device, "rejected")), "the first answer counts"
    assert operation.due_devices() == second
    while run(operation):
        pass
    assert (operation.is_complete, operation.is_stopped, operation.current_stage) == (True, False, 2)


def test_one_failure_stops_it_and_nothing_more_is_sent() -> None:
    operation = StagedOperation(plan_stages(devices(40), "1"), 1_000)
    run(operation, "rolled_back")
    assert (operation.is_stopped, operation.due_devices(), operation.failures) == (True, (), 1)
    assert len(operation.answers) == 1


def test_failures_within_the_limit_do_not_stop_it() -> None:
    operation = StagedOperation(plan_stages(devices(40), "1"), 1_000, max_failures=2)
    run(operation, "rejected")
    run(operation, "rejected")
    assert not operation.is_stopped
    operation.mark_sent(operation.due_devices()[0].device, 0)
    operation.add_answer(OrderAnswer(operation.waiting_devices()[0].device, "failed"))
    assert operation.is_stopped


def test_a_device_without_an_answer_in_its_time_is_overdue_from_when_it_was_sent() -> None:
    operation = StagedOperation((tuple(devices(2)),), 1_000, max_failures=1)
    operation.mark_sent("d0", 0)
    operation.mark_sent("d1", 500)
    assert operation.overdue_devices(999) == ()
    assert [one.device for one in operation.overdue_devices(1_000)] == ["d0"]
    operation.add_answer(OrderAnswer("d0", NO_ANSWER))
    assert [one.device for one in operation.overdue_devices(1_500)] == ["d1"]


def test_only_so_many_devices_wait_at_once() -> None:
    operation = StagedOperation((tuple(devices(120)),), 1_000)
    due = operation.due_devices()
    assert len(due) == MAX_WAITING
    for one in due:
        operation.mark_sent(one.device, 0)
    assert operation.due_devices() == ()
    operation.add_answer(OrderAnswer(due[0].device, "done"))
    assert len(operation.due_devices()) == 1


def test_an_operation_that_goes_on_asks_only_those_that_have_not_answered() -> None:
    stages = plan_stages(devices(3), "1", "d0")
    former = {"d0": OrderAnswer("d0", "rejected")}
    operation = StagedOperation(stages, 1_000, former=former)
    assert (operation.failures, operation.is_stopped) == (0, False)
    assert sorted(run(operation)) == ["d1", "d2"]
    assert operation.is_complete
