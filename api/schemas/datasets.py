"""The open datasets as the index lists them; it must not read rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.envelope import ApiModel
from api.times import rfc3339_or_none
from telemetry.core.open_data.catalogue import (  # pydantic reads the types
    ColumnUnit,
    DatasetPeriod,
)

if TYPE_CHECKING:
    from telemetry.core.open_data.catalogue import Column, Dataset
    from telemetry.queries.open_data.coverage import DatasetCoverage


class DatasetColumn(ApiModel):
    """One column of a dataset."""

    name: str = Field(description="name in the CSV's first line and in each JSON line")
    text: str = Field(description="what it says")
    unit: ColumnUnit = Field(
        description="unit of its values; empty: a text, an id or a number whose unit the row names"
    )
    formula: str = Field(description="how a ratio, mean or percentile is made; empty of what is counted")
    numerator: str = Field(description="its numerator: columns of the same row where they are published")
    denominator: str = Field(description="its denominator, likewise")
    source: str = Field(description="what it is counted from; empty of ids and times")

    @classmethod
    def from_column(cls, column: Column) -> DatasetColumn:
        """Return a column of the catalogue."""
        return cls.build(column)


class DatasetLink(ApiModel):
    """One form in which a dataset is served."""

    format: Literal["csv", "jsonl"] = Field(description="csv: RFC 4180 in UTF-8; jsonl: one JSON object in each line")
    href: str = Field(description="path; with `?bom=1` a CSV begins with a byte order mark, for spreadsheets")
    media_type: str = Field(description="media type")


class DatasetEntry(ApiModel):
    """One open dataset."""

    id: str = Field(description="id, the name of its files")
    title_vi: str = Field(description="title in Vietnamese")
    title_en: str = Field(description="title in English")
    description_vi: str = Field(description="what it is about, in Vietnamese")
    description_en: str = Field(description="what it is about, in English")
    period: DatasetPeriod = Field(
        description="its rows are of whole local days or whole local months that have ended, or are declarations"
    )
    row: str = Field(description="what one row is")
    columns: list[DatasetColumn] = Field(description="its columns in order")
    files: list[DatasetLink] = Field(description="its forms")
    parameters: list[str] = Field(description="query parameters that choose rows")
    suppression: str = Field(description="which cells are left out; empty: none")
    licence: str | None = Field(description="licence that the inventory declares; null: none, so reuse is not allowed")
    attribution: str | None = Field(description="whom users of the data name; null: not declared")
    covered_from: str | None = Field(description="start of the first period with data; null: none, or declarations")
    covered_to: str | None = Field(description="end of the last ended period")
    last_changed: str | None = Field(description="when a row was last added or corrected; null: none, or declarations")

    @classmethod
    def from_dataset(cls, dataset: Dataset, coverage: DatasetCoverage, files: list[DatasetLink]) -> DatasetEntry:
        """Return the entry of a dataset of the catalogue."""
        zone, terms = coverage.zone, coverage.terms
        window = ["from", "to", "window"] if dataset.period != "declared" else []
        return cls(
            id=dataset.id, title_vi=dataset.title_vi, title_en=dataset.title_en, description_vi=dataset.text_vi,
            description_en=dataset.text_en, period=dataset.period, row=dataset.row,
            columns=[DatasetColumn.from_column(column) for column in dataset.columns], files=files,
            parameters=[*window, *(["centre"] if dataset.has_centres else [])],
            suppression=dataset.suppression, licence=terms.licence or None, attribution=terms.attribution or None,
            covered_from=rfc3339_or_none(coverage.start, zone), covered_to=rfc3339_or_none(coverage.end, zone),
            last_changed=rfc3339_or_none(coverage.changed_at, zone),
        )  # fmt: skip
