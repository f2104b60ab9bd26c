"""Datasets of dossiers by month: by centre and level, and by procedure; it must not read raw events."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.figures.dossiers import dossier_figures
from telemetry.core.fold.administrative_counts import DOSSIER_CHANNELS
from telemetry.core.fold.totals import add_to_sums
from telemetry.core.open_data.catalogue import DOSSIERS, PROCEDURES
from telemetry.core.open_data.suppression import is_disclosive, is_small, suppress_parts
from telemetry.core.scope import Scope
from telemetry.queries.buckets import BucketQuery
from telemetry.queries.open_data.rows import (
    DatasetPart,
    centre_cells,
    complement_order,
    period_cells,
    suppress_cells,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Window
    from telemetry.core.inventory import Centre
    from telemetry.queries.open_data.rows import CellValue, DatasetRow, OpenDataInputs

KINDS_READ = 2
_CHANNELS = tuple(f"received_{channel}" for channel in DOSSIER_CHANNELS)
_ONLINE = frozenset({"received_online", "received_mobile"})
_RESOLVED_PARTS = ("resolved_on_time", "resolved_late", "resolved_digital")
_OF_RESOLVED = frozenset((*_RESOLVED_PARTS, "on_time_share", "digital_share"))
DOSSIER_COUNTS = ("received", *_CHANNELS, "resolved", *_RESOLVED_PARTS)
PROCEDURE_COUNTS = ("received", "received_online", "resolved")
_PROCEDURE_DIFFERENCES = ((0, 1),)


def dossier_parts(inputs: OpenDataInputs, periods: Sequence[Window]) -> list[DatasetPart]:
    """Return the dossiers of each centre by level, month by month."""
    return _month_parts(inputs, periods, procedures=False)


def procedure_parts(inputs: OpenDataInputs, periods: Sequence[Window]) -> list[DatasetPart]:
    """Return the dossiers of each centre by procedure, month by month."""
    return _month_parts(inputs, periods, procedures=True)


def _month_parts(inputs: OpenDataInputs, periods: Sequence[Window], *, procedures: bool) -> list[DatasetPart]:
    read = procedure_rows if procedures else dossier_rows
    return [
        DatasetPart(
            BucketQuery(month, "total", inputs.zone).cost(KINDS_READ * len(inputs.centres)),
            lambda month=month: read(inputs, month),  # type: ignore[misc]
        )
        for month in periods
    ]


def _sums_by_name(inputs: OpenDataInputs, month: Window, kind: str) -> dict[str, dict[str, dict[str, int]]]:
    """Return the sums of a month by centre and what follows it in the scope: the level, or the procedure."""
    sums: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for width, run in BucketQuery(month, "total", inputs.zone).runs_to_read():
        for total in inputs.store.totals([centre.id for centre in inputs.centres], width, run, kind):
            add_to_sums(sums[total.entity].setdefault(Scope(total.scope).name, {}), total.sums)
    return sums


def dossier_rows(inputs: OpenDataInputs, month: Window) -> Iterator[DatasetRow]:
    """Yield a month's rows by centre and level; levels without a dossier have none."""
    sums = _sums_by_name(inputs, month, "administration")
    for centre in inputs.centres:
        for level in sorted(sums.get(centre.id, ())):
            figures = dossier_figures(sums[centre.id][level])
            if figures.received_count or figures.resolved:
                yield _dossier_row(inputs, month, centre, level, sums[centre.id][level])


def _dossier_row(
    inputs: OpenDataInputs, month: Window, centre: Centre, level: str, sums: Mapping[str, int]
) -> DatasetRow:
    figures = dossier_figures(sums)
    digital = sums.get("resolved_digital", 0)
    counts = {
        "received": figures.received_count,
        **{f"received_{channel}": count for channel, count in figures.received_by_channel.items()},
        "resolved": figures.resolved, "resolved_on_time": figures.on_time, "resolved_late": figures.late,
        "resolved_digital": digital,
    }  # fmt: skip
    cells: dict[str, CellValue] = {
        **period_cells("month", month, inputs.zone), **centre_cells(centre), "dossier_level": level, **counts,
        "online_share": figures.online_ratio, "on_time_share": figures.on_time_ratio,
        "digital_share": digital / figures.resolved if figures.resolved else None,
        "processing_median_d": figures.median_days, "settled": month.end <= inputs.settled_until,
    }  # fmt: skip
    order = complement_order(month, _CHANNELS)
    return suppress_cells(cells, _dossiers_left_out(counts, order), DOSSIERS.names)


def _dossiers_left_out(counts: Mapping[str, int], order: Sequence[str]) -> frozenset[str]:
    """Return the columns of a row that are left out: channels as parts of what was received, and parts of results."""
    channels = suppress_parts([(counts[name],) for name in order])
    left_out = {order[place] for place in channels.parts}
    if channels.total:
        left_out |= {"received", *_CHANNELS}
    if left_out & (_ONLINE | {"received"}):
        left_out.add("online_share")
    resolved = counts["resolved"]
    parts = tuple(counts[name] for name in _RESOLVED_PARTS)
    rest = resolved - counts["resolved_on_time"] - counts["resolved_late"]
    if is_small(resolved):
        left_out |= {"resolved", "processing_median_d", *_OF_RESOLVED}
    elif is_small(rest) or is_disclosive((resolved, *parts), ((0, 1), (0, 2), (0, 3))):
        left_out |= _OF_RESOLVED
    return frozenset(left_out)


def procedure_rows(inputs: OpenDataInputs, month: Window) -> Iterator[DatasetRow]:
    """Yield a month's rows by centre and procedure; the procedures of a centre are the parts of its dossiers."""
    sums = _sums_by_name(inputs, month, "procedure")
    for centre in inputs.centres:
        by_procedure = {
            name: tuple(row.get(count, 0) for count in PROCEDURE_COUNTS)
            for name, row in sums.get(centre.id, {}).items()
        }
        order = complement_order(month, by_procedure)
        left_out = suppress_parts([by_procedure[name] for name in order], _PROCEDURE_DIFFERENCES).parts
        for name in sorted(by_procedure):
            received, online, resolved = by_procedure[name]
            if not received and not resolved:
                continue
            cells: dict[str, CellValue] = {
                **period_cells("month", month, inputs.zone), **centre_cells(centre), "procedure": name,
                "received": received, "received_online": online,
                "online_share": online / received if received else None, "resolved": resolved,
                "settled": month.end <= inputs.settled_until,
            }  # fmt: skip
            is_left_out = order.index(name) in left_out
            columns = (*PROCEDURE_COUNTS, "online_share") if is_left_out else ()
            yield suppress_cells(cells, columns, PROCEDURES.names)
