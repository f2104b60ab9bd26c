"""Says that both samples keep the rules of their levels on the day that they were written for, in every stage."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from telemetry import inventory

INVENTORIES = Path(__file__).resolve().parents[3] / "inventory"
WRITTEN_FOR = date(2026, 11, 30)


@pytest.mark.parametrize("sample", ["bentre-2021", "vinhlong-2025"])
def test_the_samples_keep_the_rules(sample: str) -> None:
    declared = inventory.load(INVENTORIES / sample)
    assert declared.cloud.systems
    for stage in ("dev", "prod"):
        plan = build_cloud_plan(declared.cloud, province=declared.province, stage=stage, today=WRITTEN_FOR)
        assert [str(finding) for finding in check_cloud_plan(plan)] == []
