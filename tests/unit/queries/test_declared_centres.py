"""Imported logs are no part of a province, wherever its centres are counted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from telemetry import inventory
from telemetry.queries.declared_centres import declared_centres

QUERIES = Path(__file__).parents[3] / "telemetry/queries"


def test_imported_logs_are_left_out_and_the_others_are_in_order_of_their_ids() -> None:
    centres = list(inventory.load(inventory.default_path()).centres.values())
    log = replace(centres[0], id="a-log", imported=True)
    assert [one.id for one in declared_centres([*reversed(centres), log])] == sorted(one.id for one in centres)


def test_no_other_query_filters_them_itself() -> None:
    own = [path.name for path in QUERIES.rglob("*.py") if re.search(r"(if|and) not \w+\.imported\b", path.read_text())]
    assert own == ["declared_centres.py", "network.py"], "network.py asks of one centre whether its log is shown"
