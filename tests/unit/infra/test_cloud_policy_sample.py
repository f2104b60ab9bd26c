"""Says that both samples keep the rules of their levels on the day that they were written for, in every stage."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from telemetry import inventory

INVENTORIES = Path(__file__).resolve().parents[3] / "inventory"
VIETNAMESE = re.compile(r"[À-ỹ]")
ENGLISH = re.compile(r"\b(?:the|of|to|and|people|pages|requests)\b")
WRITTEN_FOR = date(2026, 11, 30)


@pytest.mark.parametrize("sample", ["bentre-2021", "vinhlong-2025"])
def test_the_samples_keep_the_rules(sample: str) -> None:
    declared = inventory.load(INVENTORIES / sample)
    assert declared.cloud.systems
    for stage in ("dev", "prod"):
        plan = build_cloud_plan(declared.cloud, province=declared.province, stage=stage, today=WRITTEN_FOR)
        assert [str(finding) for finding in check_cloud_plan(plan)] == []


@pytest.mark.parametrize("sample", ["bentre-2021", "vinhlong-2025"])
def test_the_samples_say_in_vietnamese_what_each_connection_is_for(sample: str) -> None:
    reasons = {flow.why for flow in inventory.load(INVENTORIES / sample).cloud.flows}
    assert "" not in reasons
    assert [why for why in reasons if not VIETNAMESE.search(why) or ENGLISH.search(why)] == []
