"""The record of operations: appended only, one operator at a time, and a changed line is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from motcua.device_operations.orders import CommandOrder
from motcua.device_operations.record import (
    OperationBegun,
    OperationEnded,
    OperationRecord,
    OperationResumed,
    OrderAnswered,
    OrderSent,
    read_record,
)
from motcua.device_operations.stages import OrderAnswer, OrderedDevice
from telemetry.errors import ConfigError, MotcuaError

if TYPE_CHECKING:
    from pathlib import Path

ORDER = CommandOrder("A", "flush")
BEGUN = OperationBegun(
    at=1, operation="A", user="root", signer="lan", order=ORDER, stages=((OrderedDevice("d", "c"),),),
    answer_within_ms=1_000, max_failures=0,
)  # fmt: skip
ANSWERED = OrderAnswered(at=3, operation="A", answer=OrderAnswer("d", "failed", "fault", 3))


def written(path: Path) -> Path:
    with OperationRecord(path) as record:
        record.append(BEGUN)
        record.append(OrderSent(at=2, operation="A", device="d", digest="x"))
        record.append(ANSWERED)
        record.append(OperationEnded(at=4, operation="A", reason="1 failed, 0 may"))
    return path


def test_an_operation_is_read_back_and_goes_on_after_it_stopped(tmp_path: Path) -> None:
    path = written(tmp_path / "folder" / "r.jsonl")
    with OperationRecord(path) as record:
        operation = record.operations["A"]
        assert (operation.begun.order, operation.begun.stages) == (ORDER, BEGUN.stages)
        assert (operation.answers["d"].reason, operation.reason, operation.sent) == ("fault", "1 failed, 0 may", {"d"})
        record.append(OperationResumed(at=5, operation="A", user="root"))
        assert operation.reason is None
    assert len(path.read_bytes().splitlines()) == 5
    assert read_record(path)["A"].reason is None
    assert read_record(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize("change", ["edit", "remove", "insert"])
def test_a_changed_line_is_named(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "r.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "edit":
        lines[2] = lines[2].replace(b"failed", b"done")
    elif change == "remove":
        del lines[2]
    else:
        lines.insert(2, lines[2])
    path.write_bytes(b"".join(lines))
    with pytest.raises(ConfigError) as caught:
        OperationRecord(path)
    assert next(fault.line for fault in caught.value.faults) == {"edit": 4, "remove": 3, "insert": 4}[change]
    with pytest.raises(ConfigError):
        read_record(path)
    assert path.read_bytes() == b"".join(lines), "nothing is repaired silently"


def test_a_last_line_that_a_crash_cut_off_is_dropped(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"entry":"se')
    assert "A" in read_record(path)
    with OperationRecord(path) as record:
        record.append(OperationResumed(at=5, operation="A", user="root"))
    assert path.read_bytes().startswith(whole)
    assert read_record(path)["A"].reason is None


def test_two_operations_do_not_run_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    with OperationRecord(path), pytest.raises(MotcuaError, match="another operation is running"):
        OperationRecord(path)
    OperationRecord(path).close()


def test_what_is_no_record_is_a_fault_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("time,device\n1,2\n")
    with pytest.raises(ConfigError) as caught:
        OperationRecord(path)
    assert [fault.line for fault in caught.value.faults] == [1, 2]
    with pytest.raises(MotcuaError, match="name another file"):
        OperationRecord(tmp_path)
    with pytest.raises(MotcuaError, match="readable"):
        read_record(tmp_path)
