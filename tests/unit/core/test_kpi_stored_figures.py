"""The figures of a past month as a document: the same figures come back, and those of another version do not."""

from __future__ import annotations

import pytest

from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total
from telemetry.core.kpi.figures import PeriodFigures
from telemetry.core.kpi.stored_figures import decode_figures, encode_figures


def month() -> PeriodFigures:
    period = PeriodFigures()
    sums = {"received_online": 3, "catalogue_full": 9, "snapshots_full": 1}
    period.add_administration(Total("c", "administration:c:commune", "1d", 5, "vn83", sums))
    procedure = {"received": 1, "received_commune": 1, "resolved_online": 1, "resolved_online_commune": 1}
    period.add_procedure(Total("c", "procedure:c:p1", "1d", 7, "vn83", procedure))
    waits = {"wait_sum_ms": 90_000, "wait_histogram": histogram_of(30_000) + histogram_of(60_000), "issued": 2}
    period.add_queue_sums("commune", waits, 8)
    return period


def test_the_figures_come_back_with_histograms_snapshots_and_procedures() -> None:
    stored = decode_figures(encode_figures(month(), 1, 9, 20, "d"))
    assert stored is not None
    assert (stored.period(), stored.made_at) == (month(), 20)
    assert stored.period().figures() == month().figures()


@pytest.mark.parametrize(("start", "end", "declaration"), [(2, 9, "d"), (1, 8, "d"), (1, 9, "e")])
def test_another_window_or_declaration_is_another_document(start: int, end: int, declaration: str) -> None:
    stored = decode_figures(encode_figures(month(), 1, 9, 20, "d"))
    assert stored is not None
    assert stored.is_of(1, 9, "d")
    assert not stored.is_of(start, end, declaration)


def test_a_document_of_another_fold_is_not_taken() -> None:
    body = encode_figures(month(), 1, 9, 20, "d")
    older = decode_figures(body.replace(b'"fold_version":%d' % FOLD_VERSION, b'"fold_version":1'))
    assert older is not None
    assert not older.is_of(1, 9, "d")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"start": "x"}', b"\xff"])
def test_a_body_in_another_form_is_none(body: bytes) -> None:
    assert decode_figures(body) is None
