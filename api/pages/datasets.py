"""The page of the open datasets: what each is about, what it covers, its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry.core.inventory import local_date
from telemetry.core.open_data.catalogue import DATASETS

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.service import Queries


def build_context(queries: Queries, locale: PageLocale) -> dict[str, Any]:
    """Gather what the template shows."""
    rows = [(dataset, _covered_text(queries, dataset, locale)) for dataset in DATASETS.values()]
    return {"rows": rows, "terms": queries.inventory().open_data}


def _covered_text(queries: Queries, dataset: Dataset, locale: PageLocale) -> str:
    """Return what a dataset covers in words: nothing yet, or its first and last day; empty for declarations."""
    coverage = queries.dataset_coverage(dataset)
    if dataset.period == "declared":
        return ""
    if coverage.start is None or coverage.end is None:
        return locale.t("datasets_no_day" if dataset.period == "day" else "datasets_no_month")
    first, last = (local_date(t, coverage.zone) for t in (coverage.start, coverage.end - 1))
    return locale.t("datasets_covered", first=locale.plain_date(first), last=locale.plain_date(last))
