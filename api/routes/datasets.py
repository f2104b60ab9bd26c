"""The open datasets: their index, and each as CSV or JSON Lines, sent in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import StreamingResponse

from api.dataset_files import MEDIA_TYPES, DatasetFormat, DatasetWriter
from api.deps import QueriesDep
from api.etags import check_etag
from api.heavy_queries import HeavyQueryDep
from api.schemas.datasets import DatasetEntry, DatasetLink
from api.schemas.envelope import Envelope, ResponseMeta
from api.times import WindowParam
from telemetry.core.inventory import local_date
from telemetry.core.open_data.catalogue import DATASETS
from telemetry.queries.buckets import QueryCost
from telemetry.queries.open_data.datasets import dataset_answer, find_dataset
from telemetry.queries.open_data.rows import newest_periods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from api.heavy_queries import HeavyQueryGate
    from api.times import WindowRequest
    from telemetry.core.calendar.windows import Window
    from telemetry.core.open_data.catalogue import Dataset
    from telemetry.queries.open_data.datasets import DatasetAnswer
    from telemetry.queries.service import Queries

router = APIRouter(tags=["datasets"])
FORMATS: tuple[DatasetFormat, ...] = ("csv", "jsonl")
DatasetParam = Annotated[str, Path(description="id of the dataset: see /api/v1/datasets")]
CentreParam = Annotated[str | None, Query(description="only rows of this centre")]


def _content(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


class DatasetParams:
    """Which rows of a dataset, and whether a spreadsheet shall open it."""

    def __init__(
        self,
        centre: CentreParam = None,
        bom: Annotated[int, Query(ge=0, le=1, description="1: a byte order mark first, for spreadsheets")] = 0,
    ) -> None:
        self.centre = centre
        self.bom = bool(bom)


class JsonLinesParams:
    """Which rows of a dataset."""

    def __init__(self, centre: CentreParam = None) -> None:
        self.centre = centre


class PartwiseResponse(StreamingResponse):
    """An answer in parts, which frees its place however it ends."""

    def __init__(self, parts: Iterator[bytes], close: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(parts, headers=headers, media_type=headers["Content-Type"])
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


@router.get("/datasets", operation_id="datasets")
def list_datasets(queries: QueriesDep) -> Envelope[list[DatasetEntry]]:
    """List the open datasets with their columns, licence, formats and covered window."""
    data = [dataset_entry(queries, dataset) for dataset in DATASETS.values()]
    return Envelope(data=data, meta=ResponseMeta.current(queries))


def dataset_entry(queries: Queries, dataset: Dataset) -> DatasetEntry:
    """Return the entry of one dataset."""
    files = [
        DatasetLink(format=form, href=f"/api/v1/datasets/{dataset.id}.{form}", media_type=MEDIA_TYPES[form])
        for form in FORMATS
    ]
    return DatasetEntry.from_dataset(dataset, queries.dataset_coverage(dataset), files)


@router.get(
    "/datasets/{dataset}.csv",
    operation_id="dataset_csv",
    response_class=StreamingResponse,
    responses=_content("text/csv"),
)
def get_dataset_csv(
    dataset: DatasetParam, request: Request, queries: QueriesDep, span: WindowParam,
    params: Annotated[DatasetParams, Depends()], gate: HeavyQueryDep,
) -> StreamingResponse:  # fmt: skip
    """Return a dataset as CSV; small counts are left out. By default 28 ended days, or 12 ended months."""
    writer = DatasetWriter(find_dataset(dataset), "csv", params.bom)
    return _send(request, queries, writer, span, params.centre, gate)


@router.get(
    "/datasets/{dataset}.jsonl",
    operation_id="dataset_jsonl",
    response_class=StreamingResponse,
    responses=_content("application/jsonl"),
)
def get_dataset_json_lines(
    dataset: DatasetParam, request: Request, queries: QueriesDep, span: WindowParam,
    params: Annotated[JsonLinesParams, Depends()], gate: HeavyQueryDep,
) -> StreamingResponse:  # fmt: skip
    """Return a dataset as JSON Lines; small counts are null. By default 28 ended days, or 12 ended months."""
    return _send(request, queries, DatasetWriter(find_dataset(dataset), "jsonl"), span, params.centre, gate)


def _send(
    request: Request, queries: Queries, writer: DatasetWriter, span: WindowRequest, centre: str | None,
    gate: HeavyQueryGate,
) -> StreamingResponse:  # fmt: skip
    headers = check_etag(request, queries, str(request.url))
    answer = _answer(queries, writer.dataset, span, centre)
    first, *others = answer.parts
    cost = QueryCost(sum(part.cost.rows for part in answer.parts), sum(part.cost.buckets for part in answer.parts))
    close = gate.open_stream()
    try:
        with gate.admit(cost):
            head = writer.head() + writer.body(first.read())
    except BaseException:
        close()
        raise

    def parts() -> Iterator[bytes]:
        yield head
        for part in others:
            with gate.admit_part(cost):
                body = writer.body(part.read())
            yield body

    headers |= {
        "Content-Type": MEDIA_TYPES[writer.format],
        "Content-Disposition": f'attachment; filename="{file_name(answer, centre, writer.format)}"',
        "Link": '</api/v1/datasets>; rel="describedby"; type="application/json"',
    }
    return PartwiseResponse(parts(), close, headers)


def _answer(queries: Queries, dataset: Dataset, span: WindowRequest, centre: str | None) -> DatasetAnswer:
    """Return the requested rows; parameters that the dataset does not have are faults."""
    unused = [name for name, is_given in (
        ("centre", centre is not None and not dataset.has_centres),
        ("from", not span.is_open and dataset.period == "declared"),
    ) if is_given]  # fmt: skip
    if unused:
        text = f"the dataset {dataset.id} has no such parameter: leave it out"
        raise RequestValidationError([{"loc": ("query", name), "msg": text, "type": "value_error"} for name in unused])
    inputs = queries.open_data(centre)

    def default() -> Window:
        return newest_periods(dataset, inputs.zone, inputs.now)

    window = default() if dataset.period == "declared" else span.resolve(inputs.zone, default)
    return dataset_answer(dataset, inputs, window, is_one_centre=centre is not None)


def file_name(answer: DatasetAnswer, centre: str | None, form: DatasetFormat) -> str:
    """Return the name of the file: dataset, centre if one was chosen, first and last day."""
    edges = () if answer.window is None else (answer.window.start, answer.window.end - 1)
    days = [local_date(edge, answer.zone).isoformat() for edge in edges]
    return "_".join(["motcua", answer.dataset.id, *([centre] if centre else []), *days]) + f".{form}"
