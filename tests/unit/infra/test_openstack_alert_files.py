"""The rule files for machines of hosted systems, run by promtool: each fires for its cause, and silence is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.alert_rules import FREE_BYTES, SIZE_BYTES
from infra.targets.openstack.cloud.alert_files import LAST_BACKUP, alert_files
from infra.targets.openstack.cloud.document import DOCUMENT_HEADERS
from infra.targets.openstack.cloud.user_data import backup_interval_s, machine_user_data
from telemetry.core.hosted.database_figures import COPY_TIME_S
from tests.cloud_examples import ONESTOP, TODAY, base_declaration
from tests.unit.infra.test_kubernetes_faults import promtool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration

AT_S = 200_000
"""When promtool asks, in seconds after 1970, where its clock begins."""


def planned(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)


def series(last: int, used: int) -> list[dict[str, str]]:
    """Return what two machines of the database and a full one of somebody else give, each constant."""
    labels = f'system="{ONESTOP}",component="db"'
    given = [{"series": f'{LAST_BACKUP}{{{labels},instance="db-1:9100"}}', "values": f"{last}x50"},
             {"series": f'{LAST_BACKUP}{{{labels},instance="db-2:9100"}}', "values": "0x50"}]  # fmt: skip
    for instance, free in (("db-1", 100 - used), ("db-2", 90), ("other", 0)):
        disk = f'{{instance="{instance}:9100",mountpoint="/data",fstype="ext4"}}'
        given += [{"series": f"{FREE_BYTES}{disk}", "values": f"{free}x50"},
                  {"series": f"{SIZE_BYTES}{disk}", "values": "100x50"}]  # fmt: skip
    return given


def test_each_cause_has_its_alert_and_silence_is_one(require: Callable[[str], str], tmp_path: Path) -> None:
    plan = planned(base_declaration())
    limit = backup_interval_s(plan, plan.system(ONESTOP)) + COPY_TIME_S
    text = alert_files(plan, "hosted")[f"alerts/{ONESTOP}.yaml"]
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    cases: tuple[tuple[list[dict[str, str]], str], ...] = (
        (series(AT_S - limit, 79), ""), (series(AT_S - limit - 9_000, 10), "CopyOld"),
        (series(AT_S - limit, 80), "DiskFull"), ([], "Unseen"),
    )  # fmt: skip
    assert {rule["alert"] for rule in rules} == {f"HostedDatabase{fired}" for _, fired in cases if fired}
    tests = [
        {"interval": "4000s", "input_series": given, "alert_rule_test": [
            {"eval_time": f"{AT_S}s", "alertname": rule["alert"], "exp_alerts": _expected(rule, fired)}
            for rule in rules
        ]}
        for given, fired in cases
    ]  # fmt: skip
    (tmp_path / "rules.yaml").write_text(text)
    promtool(require("promtool"), tmp_path, {
        "rule_files": ["rules.yaml"], "evaluation_interval": "4000s", "tests": tests,
    })  # fmt: skip


def _expected(rule: dict[str, Any], fired: str) -> list[dict[str, Any]]:
    if rule["alert"] != f"HostedDatabase{fired}":
        return []
    return [{"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}]


def test_the_timer_of_a_machine_writes_what_the_rules_read() -> None:
    plan = planned(base_declaration())
    system = plan.system(ONESTOP)
    (database,) = (one for one in system.components if one.declared.kind == "database")
    written = f'{LAST_BACKUP}{{system="{ONESTOP}",component="db"}}'
    assert written in machine_user_data(plan, system, database)
    assert written in alert_files(plan, "hosted")[f"alerts/{ONESTOP}.yaml"]


def test_the_ground_has_the_room_of_logs_at_the_machines_address_and_nothing_without_one() -> None:
    base = base_declaration()
    (text,) = alert_files(planned(base), "ground").values()
    assert text.startswith(DOCUMENT_HEADERS["ground"])
    assert FREE_BYTES in text
    assert "10\\\\.84" in text
    homeless = {**base.platform, "logs": replace(base.platform["logs"], address="")}
    assert alert_files(planned(replace(base, platform=homeless)), "ground") == {}


def test_a_bucket_has_no_machine_and_so_no_rule_that_its_silence_would_fire() -> None:
    base = base_declaration()
    (database,) = (one for one in base.components if one.kind == "database")
    bucket = replace(database, id="files", kind="objects")
    text = alert_files(planned(replace(base, components=(*base.components, bucket))), "hosted")
    assert 'component="db"' in text[f"alerts/{ONESTOP}.yaml"]
    assert 'component="files"' not in text[f"alerts/{ONESTOP}.yaml"]


def test_a_system_without_data_on_disks_has_no_file() -> None:
    base = base_declaration()
    diskless = tuple(replace(one, disk_gb=0) for one in base.components)
    assert alert_files(planned(replace(base, components=diskless)), "hosted") == {}
