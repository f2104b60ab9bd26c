"""Shows operations on devices: progress by stage, tables and JSON; it must not change them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from motcua.device_operations.orders import ConfigOrder
from motcua.report_console import open_report_console, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from motcua.device_operations.orders import Order
    from motcua.device_operations.record import RecordedOperation
    from motcua.device_operations.stages import OrderedDevice, StagedOperation

UNNUMBERED = 1
"""The version that a dry run shows where none was given."""
MAX_SHOWN_SUCCESSES = 40
"""Devices that have done it, in a table; `--json` lists all."""


class OperationProgress:
    """One bar for each stage, on standard error: devices that have answered, and how many of them failed."""

    def __init__(self, operation: StagedOperation, console: Console) -> None:
        self._operation = operation
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bars = Progress(*columns, console=console)
        self._tasks: list[TaskID] = [
            self._bars.add_task(self._describe(number), total=len(stage))
            for number, stage in enumerate(operation.stages)
        ]

    def __enter__(self) -> Self:
        self._bars.start()
        self.update()
        return self

    def __exit__(self, *_: object) -> None:
        self.update()
        self._bars.stop()

    def update(self) -> None:
        """Show the present state."""
        for number, stage in enumerate(self._operation.stages):
            answered = sum(one.device in self._operation.answers for one in stage)
            self._bars.update(self._tasks[number], completed=answered, description=self._describe(number))

    def _describe(self, number: int) -> str:
        stages = self._operation.stages
        failed = sum(self._operation.status_of(one.device) == "failed" for one in stages[number])
        return f"stage {number + 1} of {len(stages)}" + (f", [red]{failed} failed[/]" if failed else "")


def describe_order(order: Order) -> str:
    """Return an order in words."""
    if isinstance(order, ConfigOrder):
        return f"configuration {order.version}: {msgspec.json.encode(order.document.settings).decode()}"
    return " ".join([order.command, *(f"{name}={value}" for name, value in sorted(order.args.items()))])


def print_stages(stages: Sequence[Sequence[OrderedDevice]], order: Order, *, as_json: bool) -> None:
    """Print what a run would send to whom; the version of a configuration is known only then."""
    payload = order.payload(0).decode()
    if as_json:
        value = {
            "payload": msgspec.Raw(payload.encode()),
            "stages": [[one.device for one in stage] for stage in stages],
        }
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
        return
    print(f"nothing is sent: {describe_order(order)}")
    if isinstance(order, ConfigOrder) and order.version == UNNUMBERED:
        print("its version is the next free one when it is published")
    for number, stage in enumerate(stages, 1):
        print(f"stage {number}: {len(stage)} devices")
        for one in stage:
            print(f"  {one.device}")


def print_operation(recorded: RecordedOperation, *, as_json: bool) -> None:
    """Print one operation, device by device."""
    rows = _device_rows(recorded)
    if as_json:
        value = {**_operation_fields(recorded), "devices": rows}
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
        return
    begun = recorded.begun
    table = Table(title=describe_order(begun.order), box=box.SIMPLE_HEAD)
    for name in ("Device", "Centre", "Stage", "Outcome", "Reason"):
        table.add_column(name, no_wrap=name == "Device", justify="right" if name == "Stage" else "left")
    failed = [row for row in rows if row["outcome"] not in {"applied", "done", "not-sent"}]
    others = [row for row in rows if row["outcome"] in {"applied", "done"}]
    for row in [*failed, *others[:MAX_SHOWN_SUCCESSES]]:
        colour = "red" if row in failed else "green"
        table.add_row(
            *map(str, (row["device"], row["centre"], row["stage"])),
            f"[{colour}]{row['outcome']}[/]",
            str(row["reason"]),
        )
    print_table(open_report_console(), table)
    print(
        ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(str(r["outcome"]) for r in rows).items()))
    )


def print_operations(operations: Mapping[str, RecordedOperation], *, as_json: bool) -> None:
    """Print all operations of a record, the newest last."""
    if as_json:
        value = [_operation_fields(recorded) for recorded in operations.values()]
        print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("Operation", "Begun (UTC)", "By", "Order", "Devices", "State"):
        table.add_column(name, no_wrap=name == "Operation", justify="right" if name == "Devices" else "left")
    for ident, recorded in operations.items():
        fields = _operation_fields(recorded)
        by = recorded.begun.signer or f"{recorded.begun.user} (unsigned)"
        devices = str(sum(map(len, recorded.begun.stages)))
        table.add_row(
            ident, str(fields["begun"]), by, describe_order(recorded.begun.order), devices, str(fields["state"])
        )
    print_table(open_report_console(), table)


def _operation_fields(recorded: RecordedOperation) -> dict[str, object]:
    begun = recorded.begun
    state = {None: "not ended", "": "complete"}.get(recorded.reason, f"stopped: {recorded.reason}")
    return {
        "operation": begun.operation,
        "begun": datetime.fromtimestamp(begun.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user": begun.user,
        "signer": begun.signer,
        "order": begun.order,
        "state": state,
        "outcomes": dict(Counter(str(row["outcome"]) for row in _device_rows(recorded))),
    }


def _device_rows(recorded: RecordedOperation) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, stage in enumerate(recorded.begun.stages, 1):
        for one in stage:
            answer = recorded.answers.get(one.device)
            outcome = answer.outcome if answer else "not-answered" if one.device in recorded.sent else "not-sent"
            reason, at = (answer.reason, answer.at) if answer else ("", None)
            row = {"device": one.device, "centre": one.centre, "stage": number, "outcome": outcome}
            rows.append({**row, "reason": reason, "answered_at": at})
    return rows
