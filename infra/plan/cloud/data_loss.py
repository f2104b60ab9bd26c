"""Refuses a run of the hosted systems that would delete or move data, unless an operator wrote which. Pure.

It compares with the record that the stack's last run left among its outputs; it must not apply or list anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.plan.cloud.changes import cloud_changes, data_loss_phrase
from infra.plan.cloud.record import decode_cloud_record, encode_cloud_record, record_plan
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud.values import CloudPlan

RECORD_OUTPUT: Final = "cloudRecord"
CHANGES_OUTPUT: Final = "cloudChanges"
GUARDED_STAGE: Final = "prod"
_OPTION: Final = "motcua:cloud.allowDataLoss"


def recorded_outputs(
    plan: CloudPlan, earlier: Mapping[str, object] | None, accepted: str
) -> dict[str, str | list[str]]:
    """Return the outputs by which the next run knows this one.

    `earlier` are those of the last run, empty before the first, None when the state cannot be read.

    Raises ConfigError in stage prod with every change that loses data, unless `accepted` are exactly its words.
    """
    record = record_plan(plan)
    text = "" if earlier is None else str(earlier.get(RECORD_OUTPUT, ""))
    if earlier is not None and not text:
        return {CHANGES_OUTPUT: ["first roll-out"], RECORD_OUTPUT: encode_cloud_record(record)}
    old = None if earlier is None else decode_cloud_record(text)
    if earlier is None or old is None:
        if plan.stage == GUARDED_STAGE and accepted != RECORD_OUTPUT:
            raise ConfigError([_unreadable_fault()])
        return {CHANGES_OUTPUT: ["unknown"], RECORD_OUTPUT: encode_cloud_record(record)}
    changes = cloud_changes(old, plan)
    phrase = data_loss_phrase(changes)
    if phrase and plan.stage == GUARDED_STAGE and accepted != phrase:
        words = f'; to accept it, write cloud.allowDataLoss: "{phrase}"'
        lost = [one for one in changes if one.loses_data]
        raise ConfigError([Fault("stack configuration", 0, _OPTION, f"{one.kind} {one.where}: {one.problem}",
                                 f"{one.remedy}{words}") for one in lost])  # fmt: skip
    shown = earlier.get(CHANGES_OUTPUT)
    if old == record and isinstance(shown, list):
        return {CHANGES_OUTPUT: [str(line) for line in shown], RECORD_OUTPUT: text}
    lines = [f"{one.kind} {one.where}: {one.problem}" for one in changes]
    return {CHANGES_OUTPUT: lines or ["nothing"], RECORD_OUTPUT: encode_cloud_record(record)}


def _unreadable_fault() -> Fault:
    remedy = (
        "compare with `motcua cloud diff --from REVISION`, run the version that wrote it, or write "
        f'cloud.allowDataLoss: "{RECORD_OUTPUT}" for one run'
    )
    return Fault("stack configuration", 0, _OPTION, f"the last run's output {RECORD_OUTPUT} cannot be read", remedy)
