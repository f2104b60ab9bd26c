"""The catalogue of open datasets and what an indicator's figures count."""

from __future__ import annotations

import pytest

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.open_data.catalogue import DATASETS, SUPPRESSED_COLUMN
from telemetry.core.open_data.indicator_counts import columns_of, discloses, people_counts


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.id)
def test_a_dataset_has_each_column_once_and_says_what_it_leaves_out(dataset: object) -> None:
    names = dataset.names  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    assert bool(dataset.suppression) == (SUPPRESSED_COLUMN in names)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ident", "counts"),
    [
        ("DG-01", (4, 10)),  # electronic results of all results
        ("Q-01", (7,)),
        ("Q-02", (6,)),  # a mean: of how many waits
        ("Q-03", (6,)),  # a percentile: of how many waits
        ("DG-06", ()),  # procedures are no people
        ("A-11", ()),
    ],
)
def test_the_people_of_an_indicator_are_counted(ident: str, counts: tuple[int, ...]) -> None:
    figures = {
        "resolved_digital": 4, "resolved_online": 3, "resolved_direct": 7, "issued": 7, "wait_count": 6,
        "wait_sum_ms": 9_000, "wait_p90_ms": 2, "catalogue_full": 3, "catalogue_procedures": 4, "centre_up_ms": 3,
    }  # fmt: skip
    assert people_counts(INDICATORS[ident], figures) == counts


def test_a_small_numerator_denominator_or_rest_discloses() -> None:
    assert not discloses(())
    assert not discloses((50,))
    assert not discloses((40, 50))
    assert discloses((4,))
    assert discloses((48, 50))
    assert discloses((0, 3))


def test_an_indicator_shows_the_sums_of_columns_of_other_datasets() -> None:
    assert columns_of(INDICATORS["DG-17"]) == {"received_online", "received_mobile", "received"}
    assert columns_of(INDICATORS["DG-01"]) == {"resolved_digital", "resolved"}
    assert columns_of(INDICATORS["Q-04"]) == {"within_15min", "decided_15min"}
    assert columns_of(INDICATORS["A-11"]) == frozenset()
