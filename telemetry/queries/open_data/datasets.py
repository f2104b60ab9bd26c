"""The open datasets by id: their parts over a window, and what they cover; it must not render them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import Window
from telemetry.core.open_data.catalogue import DATASETS
from telemetry.queries.buckets import QueryCost
from telemetry.queries.errors import NotFound
from telemetry.queries.open_data.administration_rows import dossier_parts, procedure_parts
from telemetry.queries.open_data.indicator_rows import commitment_rows, indicator_parts, target_rows
from telemetry.queries.open_data.rows import DatasetPart, ended_periods
from telemetry.queries.open_data.service_rows import availability_parts, queue_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.open_data.rows import OpenDataInputs


@dataclass(frozen=True, slots=True)
class DatasetAnswer:
    """A dataset over its periods, which are none of declarations; `parts` are its rows in order."""

    dataset: Dataset
    zone: ZoneInfo
    parts: Sequence[DatasetPart]
    window: Window | None = None


def find_dataset(ident: str) -> Dataset:
    """Return a dataset of the catalogue; raises NotFound."""
    if ident not in DATASETS:
        raise NotFound(ident, "dataset")
    return DATASETS[ident]


def dataset_answer(dataset: Dataset, inputs: OpenDataInputs, window: Window, *, is_one_centre: bool) -> DatasetAnswer:
    """Return a dataset over a window; raises BadWindow without an ended period in it, or with too many."""
    if dataset.period == "declared":
        read = target_rows if dataset.id == "targets" else commitment_rows
        return DatasetAnswer(dataset, inputs.zone, [DatasetPart(QueryCost(0, 0), lambda: read(inputs))])
    periods = ended_periods(dataset, window, inputs.zone, inputs.now)
    match dataset.id:
        case "availability":
            parts = availability_parts(inputs, periods, systems=not is_one_centre)
        case "queues":
            parts = queue_parts(inputs, periods)
        case "dossiers":
            parts = dossier_parts(inputs, periods)
        case "procedures":
            parts = procedure_parts(inputs, periods)
        case _:
            parts = indicator_parts(inputs, periods)
    return DatasetAnswer(dataset, inputs.zone, parts, Window(periods[0].start, periods[-1].end))
