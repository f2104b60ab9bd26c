"""Refuses a run of the hosted systems that would delete or move data, unless an operator wrote which. Pure.

It compares with the record that the stack's last run left among its outputs; it must not apply or list anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.changes import cloud_changes, data_loss_phrase
from infra.plan.cloud.record import (
    CloudRecord,
    decode_cloud_record,
    encode_cloud_record,
    part_of_record,
    record_plan,
)
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from infra.plan.cloud.values import CloudPlan

RECORD_OUTPUT: Final = "cloudRecord"
CHANGES_OUTPUT: Final = "cloudChanges"
GUARDED_STAGE: Final = "prod"
_OPTION: Final = "motcua:cloud.allowDataLoss"


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """The systems of a stack that deploys a part of them.

    `departed` are ids in its last record whose state was moved away; `arrived` is the record of those whose state was
    moved here.
    """

    systems: Collection[str]
    departed: Collection[str] = ()
    arrived: CloudRecord = field(default_factory=CloudRecord)


def recorded_outputs(
    plan: CloudPlan, earlier: Mapping[str, object] | None, accepted: str, part: RecordedPart | None = None
) -> dict[str, str | list[str]]:
    """Return the outputs by which the next run knows this one; `part` is what it deploys, all of the plan when None.

    `earlier` are those of the last run, empty before the first, None when the state cannot be read.

    Raises ConfigError in stage prod with every change that loses data, unless `accepted` are exactly its words.
    """
    part = part or RecordedPart([system.id for system in plan.systems])
    record = record_plan(plan, part.systems)
    text = "" if earlier is None else str(earlier.get(RECORD_OUTPUT, ""))
    if earlier is not None and not text and part.arrived == CloudRecord():
        return {CHANGES_OUTPUT: ["first roll-out"], RECORD_OUTPUT: encode_cloud_record(record)}
    old = None if earlier is None else _last_record(text, part)
    if earlier is None or old is None:
        if plan.stage == GUARDED_STAGE and accepted != RECORD_OUTPUT:
            raise ConfigError([_unreadable_fault()])
        return {CHANGES_OUTPUT: ["unknown"], RECORD_OUTPUT: encode_cloud_record(record)}
    changes = cloud_changes(old, plan, part.systems)
    phrase = data_loss_phrase(changes)
    if phrase and plan.stage == GUARDED_STAGE and accepted != phrase:
        words = f'; to accept it, write cloud.allowDataLoss: "{phrase}"'
        lost = [one for one in changes if one.loses_data]
        raise ConfigError([Fault("stack configuration", 0, _OPTION, f"{one.kind} {one.where}: {one.problem}",
                                 f"{one.remedy}{words}") for one in lost])  # fmt: skip
    shown, has_moved = earlier.get(CHANGES_OUTPUT), bool(part.departed) or part.arrived != CloudRecord()
    if old == record and isinstance(shown, list) and not has_moved:
        return {CHANGES_OUTPUT: [str(line) for line in shown], RECORD_OUTPUT: text}
    lines = [f"{one.kind} {one.where}: {one.problem}" for one in changes]
    return {CHANGES_OUTPUT: lines or ["nothing"], RECORD_OUTPUT: encode_cloud_record(record)}


def _last_record(text: str, part: RecordedPart) -> CloudRecord | None:
    """Return what the stack has now by its last record, None when that cannot be read."""
    last = decode_cloud_record(text) if text else CloudRecord()
    if last is None:
        return None
    return part_of_record(last, {one.id for one in last.systems}.difference(part.departed)).union(part.arrived)


def _unreadable_fault() -> Fault:
    remedy = (
        "compare with `motcua cloud diff --from REVISION`, run the version that wrote it, or write "
        f'cloud.allowDataLoss: "{RECORD_OUTPUT}" for one run'
    )
    return Fault("stack configuration", 0, _OPTION, f"the last run's output {RECORD_OUTPUT} cannot be read", remedy)
