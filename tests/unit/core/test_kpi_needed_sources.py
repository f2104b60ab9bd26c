"""Every indicator says what would give it a value."""

from __future__ import annotations

import pytest

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.needed_sources import needed_source


@pytest.mark.parametrize(
    ("idents", "source"),
    [
        ("DG-01 DG-02 DG-02b DG-03b DG-13 DG-16 DG-17 DG-17b DG-18", "dossiers"),
        ("DG-05 DG-06 DG-07", "catalogue"),
        ("DG-03 DG-07b DG-08 DG-09 DG-10 DG-11 DG-12 DG-14 DG-14b DG-19 A-07 A-08 A-09", "statistics"),
        ("DG-04 Q-14", "ratings"),
        ("Q-01 Q-02 Q-03 Q-04 Q-04b Q-05 Q-06 Q-06b Q-07 Q-12 Q-13", "tickets"),
        ("Q-09 Q-10 Q-11 A-19", "counters"),
        ("F-01 F-02", "forecast"),
        ("F-03", "promises"),
        ("A-01 A-02 A-03 A-05 A-06 A-10 A-11 A-18", "probes"),
        ("A-04", "connectors"),
        ("A-12 A-13 A-14 A-15 A-16 A-17", "devices"),
        ("X-01 X-01b X-02 X-03 X-04 X-05", "index"),
        ("DG-15 DG-20", "declaration"),
    ],
)
def test_each_indicator_names_what_would_give_it_a_value(idents: str, source: str) -> None:
    assert {ident: needed_source(INDICATORS[ident]) for ident in idents.split()} == dict.fromkeys(
        idents.split(), source
    )
