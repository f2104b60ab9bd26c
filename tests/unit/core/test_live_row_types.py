"""Live rows as bytes: what is set aside, and rows of another shape."""

from __future__ import annotations

import msgspec

from telemetry.core.fold.live_row_types import FAULT_ROW_PREFIX, FoldFaultNow, decode_rows
from telemetry.core.inventory import replay_device_of


def test_faults_are_read_by_entity_and_rows_of_another_shape_left_out() -> None:
    fault = FoldFaultNow(entity="vn83-a", at=5, failures=2, since=3, part="fold", reason="OverflowError")
    rows = [
        (f"{FAULT_ROW_PREFIX}vn83-a", msgspec.json.encode(fault)),
        (f"{FAULT_ROW_PREFIX}vn83-b", b"[1]"),
        (f"{FAULT_ROW_PREFIX}vn83-c", b"\xff"),
        ("vn83-a", b"{}"),
    ]
    assert decode_rows(rows, FoldFaultNow) == {"vn83-a": fault}


def test_a_centre_imports_with_a_device_of_its_own() -> None:
    assert replay_device_of("replay-bank") == "replay-bank-replay1"
