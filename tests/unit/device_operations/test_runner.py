"""Operations against a broker and a store in memory: what is sent to whom, and what is withdrawn after a stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from edge_agent.remote.settings import ConfigDocument, RemoteSettings
from motcua.device_operations.orders import CommandOrder, ConfigOrder
from motcua.device_operations.record import OperationRecord
from motcua.device_operations.runner import OperationRunner
from motcua.device_operations.stages import OrderedDevice, plan_stages
from motcua.device_operations.start import OperationTerms, begin_operation, next_version, resume_operation
from telemetry.core.protocol import events as ev
from telemetry.errors import BrokerUnavailable, ConfigError
from telemetry.store import StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from motcua.device_operations.broker_sender import BrokerSender
    from motcua.device_operations.orders import Order
    from motcua.device_operations.start import StartedOperation
    from telemetry.core.calendar.windows import Window
    from telemetry.store import Store

CENTRE = "vn83-83"
DEVICES = [OrderedDevice(f"d{n}", CENTRE) for n in range(3)]
STAGES = plan_stages(DEVICES, "A", "d0")
CONFIG = ConfigOrder(ConfigDocument(v=1, version=4, settings=RemoteSettings(linger_ms=9)))
COMMAND = CommandOrder("A", "flush")


class Province:
    """Devices behind a broker, and the store that has their answers; `behaves` maps a device to its outcome."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bool]] = []
        self.events_by_device: list[StoredEvent] = []
        self.behaves: dict[str, str] = {}
        self.codes: dict[str, int] = {}

    def publish(self, topic: str, payload: bytes, *, retain: bool, properties: Mapping[str, str] | None = None) -> int:
        del properties
        device, channel = topic.split("/")[3:]
        self.sent.append((device, channel if payload else "withdrawn", retain))
        if self.codes.get(device, 0) < 0:
            raise BrokerUnavailable("gone")
        outcome = self.behaves.get(device, "applied" if channel == "config" else "done")
        if payload and outcome != "silent" and not self.codes.get(device):
            self.answer(device, outcome, json.loads(payload))
        return self.codes.get(device, 0)

    def answer(self, device: str, outcome: str, message: dict[str, Any]) -> None:
        event: ev.Event
        if "version" in message:
            event = ev.ConfigResult(n=1, t=1, version=message["version"], outcome=cast("ev.ConfigOutcome", outcome))
        else:
            known = cast("ev.CommandOutcome", outcome)
            event = ev.CommandResult(n=1, t=1, id=message["id"], command="flush", outcome=known)
        self.events_by_device.append(StoredEvent(CENTRE, device, "o", event))

    def events(self, entity: str, window: Window, types: object = None) -> list[StoredEvent]:
        del window, types
        return self.events_by_device if entity == CENTRE else []

    def wait(self, seconds: float) -> None:
        del seconds


@pytest.fixture
def province() -> Province:
    return Province()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[OperationRecord]:
    with OperationRecord(tmp_path / "r.jsonl") as one:
        yield one


def begin(
    record: OperationRecord, province: Province, order: Order, within: int = 60_000, may: int = 0
) -> StartedOperation:
    return begin_operation(record, cast("Store", province), "A", order, STAGES, OperationTerms(within, may))


def run(
    record: OperationRecord, province: Province, started: StartedOperation, stop: Callable[[], bool] = lambda: False
) -> str:
    sender = cast("BrokerSender", province)
    runner = OperationRunner(
        "A", started.order, started.operation, record, sender, started.answers, None, is_interrupted=stop
    )
    return runner.run()


def test_a_configuration_reaches_every_device_retained(province: Province, record: OperationRecord) -> None:
    assert run(record, province, begin(record, province, CONFIG)) == ""
    assert province.sent[0] == ("d0", "config", True)
    assert sorted(province.sent) == [(f"d{n}", "config", True) for n in range(3)]
    assert record.operations["A"].reason == ""


def test_a_silent_device_stops_it_and_its_configuration_is_withdrawn(
    province: Province, record: OperationRecord
) -> None:
    province.behaves["d0"] = "silent"
    assert run(record, province, begin(record, province, CONFIG, within=0)) == "1 failed, 0 may"
    assert province.sent == [("d0", "config", True), ("d0", "withdrawn", True)]
    assert record.operations["A"].answers["d0"].outcome == "no-answer"


def test_a_rejected_configuration_stays_where_it_was_answered(province: Province, record: OperationRecord) -> None:
    province.behaves["d0"] = "rejected"
    assert run(record, province, begin(record, province, CONFIG)) == "1 failed, 0 may"
    assert province.sent == [("d0", "config", True)]


def test_a_command_without_a_receiver_or_refused_by_the_broker_fails_at_once(
    province: Province, record: OperationRecord
) -> None:
    province.codes = {"d0": 0x10, "d1": 0x87}
    assert run(record, province, begin(record, province, COMMAND, may=2)) == ""
    answers = record.operations["A"].answers
    assert [(answers[f"d{n}"].outcome, answers[f"d{n}"].reason) for n in range(3)] == [
        ("offline", "no-connection"), ("refused", "broker-0x87"), ("done", ""),
    ]  # fmt: skip


def test_an_operation_goes_on_with_those_that_have_not_answered(province: Province, record: OperationRecord) -> None:
    province.codes = {"d0": 0x10}
    run(record, province, begin(record, province, COMMAND))
    province.codes.clear()
    province.sent.clear()
    resumed = resume_operation(record, cast("Store", province), "A", "command", "")
    assert run(record, province, resumed) == ""
    assert {device for device, *_ in province.sent} == {"d0", "d1", "d2"}
    with pytest.raises(ConfigError, match="is complete"):
        resume_operation(record, cast("Store", province), "A", "command", "")


def test_an_answer_that_came_after_the_stop_counts_when_it_goes_on(province: Province, record: OperationRecord) -> None:
    province.behaves["d0"] = "silent"
    run(record, province, begin(record, province, CONFIG, within=0, may=0))
    province.answer("d0", "applied", {"version": 4})
    province.sent.clear()
    assert run(record, province, resume_operation(record, cast("Store", province), "A", "config", "")) == ""
    assert {device for device, *_ in province.sent} == {"d1", "d2"}


def test_only_an_operation_of_its_kind_goes_on(province: Province, record: OperationRecord) -> None:
    begin(record, province, COMMAND)
    for ident, channel in (("B", "command"), ("A", "config")):
        with pytest.raises(ConfigError, match="there is no such"):
            resume_operation(record, cast("Store", province), ident, channel, "")


def test_an_interruption_and_a_lost_broker_leave_an_operation_that_goes_on(
    province: Province, record: OperationRecord
) -> None:
    assert run(record, province, begin(record, province, CONFIG), stop=lambda: True) == "interrupted"
    province.codes["d0"] = -1
    with pytest.raises(BrokerUnavailable):
        run(record, province, resume_operation(record, cast("Store", province), "A", "config", ""))
    assert record.operations["A"].reason is None
    province.codes.clear()
    assert run(record, province, resume_operation(record, cast("Store", province), "A", "config", "")) == ""


def test_the_next_version_is_above_all_that_were_sent_or_answered(province: Province, record: OperationRecord) -> None:
    store = cast("Store", province)
    assert next_version(record, store, DEVICES) == 1
    begin(record, province, CONFIG)
    assert next_version(record, store, DEVICES) == 5
    province.answer("d1", "applied", {"version": 9})
    assert next_version(record, store, DEVICES) == 10
