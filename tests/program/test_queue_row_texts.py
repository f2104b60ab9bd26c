"""The quick writer of queue histories: byte for byte what the model in the API's document would be dumped as."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from api.queue_row_texts import QueueRowTexts
from api.schemas.queues import QueueHistoryEnvelope
from telemetry.core.figures.queue_periods import QueueHistoryRow
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import COUNTER_FIELDS, QUEUE_FIELDS, SEGMENT_FIELDS
from tests.program.network import Network, busy, network
from tests.unit.days import WHOLE, ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITS = histogram_of(61_234) + 30 * histogram_of(1_801_000)
FULL = {name: number for number, name in enumerate((*QUEUE_FIELDS, *SEGMENT_FIELDS), start=3)} | {
    "wait_histogram": WAITS, "service_histogram": WAITS + histogram_of(90_000_000), "way_histogram": WAITS,
    "promises_within": 1,
}  # fmt: skip
EMPTY = QueueHistoryRow("vn83-1", "land", WHOLE, ZONE, {})
ROWS = {
    "nothing happened": EMPTY,
    "every sum": replace(EMPTY, sums=FULL),
    "a group with its counters": replace(
        EMPTY, centre="", service="", group="Sở Tư pháp", sums=FULL, counters=dict.fromkeys(COUNTER_FIELDS, 7_200_001)
    ),
    "counters of no time": replace(EMPTY, service="", counters={}),
}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    opened = busy(network(tmp_path_factory.mktemp("texts")))
    yield opened
    opened.store.close()


def dump_of_the_model(body: bytes) -> bytes:
    """Read an answer as its model, and write that; the model is built with the names of its fields."""
    answer: dict[str, Any] = json.loads(body)
    for part in (*answer["data"], answer["meta"]):
        part["from_"] = part.pop("from")
    return QueueHistoryEnvelope.model_validate(answer).model_dump_json(by_alias=True).encode()


@pytest.mark.parametrize("by", ["", "&by=centre", "&by=level", "&by=service", "&by=owner_agency"])
@pytest.mark.parametrize("window", ["bucket=30m&from=2026-11-23&to=2026-11-24", "bucket=total"])
def test_an_answer_is_what_its_model_is_dumped_as(net: Network, window: str, by: str) -> None:
    path = f"/api/v1/queues/history?limit=3&{window}{by}"
    first = net.client.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/json"
    assert first.json()["data"]
    assert dump_of_the_model(first.content) == first.content
    assert net.client.get(path).json()["data"] == first.json()["data"]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_field_of_a_row_is_what_its_model_is_dumped_as(net: Network, row: QueueHistoryRow) -> None:
    answer = json.loads(net.client.get("/api/v1/queues/history?limit=1").content)
    text = QueueRowTexts().text(row, 900, WHOLE.end)
    body = b'{"data":[%b],"meta":%b,"next":null}' % (
        bytes(text), json.dumps(answer["meta"], ensure_ascii=False, separators=(",", ":")).encode()
    )  # fmt: skip
    assert dump_of_the_model(body) == body


def test_a_row_that_has_ended_is_written_once_for_each_threshold_and_the_oldest_text_is_dropped() -> None:
    texts, other = QueueRowTexts(2), replace(EMPTY, service="tax")
    first = texts.text(EMPTY, 900, WHOLE.end)
    assert texts.text(EMPTY, 900, WHOLE.end) is first
    assert json.loads(bytes(texts.text(EMPTY, 600, WHOLE.end)))["within"]["threshold_s"] == 600
    texts.text(EMPTY, 900, WHOLE.end)
    assert json.loads(bytes(texts.text(other, 900, WHOLE.end)))["service"] == "tax"
    assert texts.text(EMPTY, 900, WHOLE.end) is first
    assert texts.text(replace(EMPTY), 900, WHOLE.end) is not first


def test_a_row_that_has_not_ended_is_written_each_time() -> None:
    texts = QueueRowTexts()
    assert texts.text(EMPTY, 900, WHOLE.end - 1) is not texts.text(EMPTY, 900, WHOLE.end - 1)
