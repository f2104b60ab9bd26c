"""What check and dossier claim is there: a copy that is made, a store that is reached, a day that has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.clauses import clause_counts
from infra.policy.cloud.dossier import build_dossier
from infra.policy.cloud.yearly_report import build_yearly_report
from telemetry.core.cloud.values import Flow, PolicyException, RestoreDrill
from tests.cloud_examples import (
    BACKUPS,
    ONESTOP,
    PLATFORM,
    PROTECTIONS,
    TODAY,
    base_declaration,
    component_end,
    hosted_system,
    second_system,
    with_components,
    with_flows,
    with_system,
)

if TYPE_CHECKING:
    from infra.policy.catalogue import Finding
    from infra.policy.cloud.report_tables import ReportSection
    from telemetry.core.cloud.values import CloudDeclaration, PlatformName

BASE = base_declaration()


def findings(declaration: CloudDeclaration) -> list[Finding]:
    return check_cloud_plan(build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY))


def sections(declaration: CloudDeclaration) -> dict[str, ReportSection]:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    document = build_dossier(plan, plan.system(ONESTOP), "Một cửa", check_cloud_plan(plan))
    return {section.title: section for section in document.sections}


def without(name: PlatformName) -> CloudDeclaration:
    return replace(BASE, platform={key: value for key, value in PLATFORM.items() if key != name})


def results(declaration: CloudDeclaration, part: str) -> set[str]:
    """Return what the dossier says of a requirement that objects build."""
    return {row[3] for row in sections(declaration)["Các điều khoản được đối chiếu"].rows if row[2] == part}


def built_count(declaration: CloudDeclaration) -> int:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    (counts,) = clause_counts(plan, check_cloud_plan(plan))
    return counts.built


def test_a_database_without_a_store_of_copies_at_the_platform_breaks_its_promise_of_loss() -> None:
    (fault,) = [one for one in findings(without("backup")) if one.severity == "mandatory"]
    assert (fault.rule, fault.where.startswith(f"{ONESTOP}/db")) == ("rpo-met", True)
    assert "the platform has no service backup" in fault.problem
    tapes = replace(BASE, backups=tuple(replace(store, medium="tape", wal=True) for store in BACKUPS))
    assert [one.problem for one in findings(tapes) if one.rule == "rpo-met"] == [
        "no copy of it is made: no store of copies has medium objects"
    ]
    strict = with_components(with_system(without("backup"), hosted_system(rpo_s=0)), f"{ONESTOP}/db", least=3)
    assert [one.rule for one in findings(strict) if one.severity == "mandatory"] == ["rpo-met"]


@pytest.mark.parametrize(
    ("name", "part", "rule"),
    [
        ("backup", "Lịch sao lưu tự động", "rpo-met"),
        ("logs", "Kết nối tới kho nhật ký tập trung", "log-kept"),
    ],
)
def test_the_dossier_does_not_claim_what_no_object_does(name: PlatformName, part: str, rule: str) -> None:
    assert results(BASE, part) == {"Có trong thiết kế"}
    assert results(without(name), part) == {"Còn phải xử lý"}
    assert rule in {one.rule for one in findings(without(name))}
    assert built_count(BASE) == built_count(without(name)) + 1


def test_a_system_that_nobody_reaches_from_outside_has_no_gateway_to_count() -> None:
    closed = with_system(BASE, hosted_system(exposure="none", host=""))
    assert results(BASE, "Cổng vào có mã hóa TLS") == {"Có trong thiết kế"}
    assert results(closed, "Cổng vào có mã hóa TLS") == set()
    counts = sections(replace(closed, flows=BASE.flows[1:]))["Đối chiếu yêu cầu của cấp độ"].rows
    assert sum(int(number) for _, number in counts) == 195


def test_a_drill_of_a_day_to_come_is_no_last_drill() -> None:
    coming = RestoreDrill(ONESTOP, TODAY + timedelta(days=1), "biên bản dự kiến")
    declaration = replace(BASE, drills=(*BASE.drills, coming))
    assert "(minutes of the restore)." in sections(declaration)["Sao lưu và khôi phục"].sentences[2]
    alone = replace(BASE, drills=(coming,))
    assert sections(alone)["Sao lưu và khôi phục"].sentences[2].endswith("chưa có.")
    plan = build_cloud_plan(alone, province="vn83", stage="prod", today=TODAY)
    report = build_yearly_report(plan, check_cloud_plan(plan), TODAY.year)
    (listed,) = [section for section in report.sections if section.title == "Diễn tập khôi phục trong kỳ"]
    assert listed.rows == ()


@pytest.mark.parametrize("days", [-366, 1])
def test_the_way_of_administrators_needs_evidence_of_the_last_year(days: int) -> None:
    aged = {**PROTECTIONS, "vpn": replace(PROTECTIONS["vpn"], evidence_day=TODAY + timedelta(days=days))}
    assert [one.rule for one in findings(replace(BASE, protections=aged))] == ["admin-source"]


def test_a_host_of_two_systems_is_a_fault_of_both() -> None:
    both = with_system(with_system(BASE, hosted_system()), hosted_system("vn83-forms", host=hosted_system().host))
    places = {one.where.partition(" (")[0] for one in findings(both) if one.rule == "host-once"}
    assert places == {ONESTOP, "vn83-forms"}


def test_only_what_an_autoscaler_counts_is_said_to_run_in_a_range() -> None:
    ranged = with_components(with_components(BASE, f"{ONESTOP}/db", most=5), f"{ONESTOP}/app", most=4, disk_gb=10)
    running = {row[0]: row[3] for row in sections(ranged)["Ứng dụng và nơi cài đặt"].rows}
    assert running == {"web": "2 đến 4", "app": "2", "db": "3"}


def test_the_dossier_names_every_kind_of_service_that_stays_open() -> None:
    (sentence, *_) = sections(BASE)["Kết nối được phép"].sentences
    for service in ("tên miền", "thời gian", "nhật ký", "bí mật", "sao lưu", "giám sát", "vận hành cơ sở dữ liệu"):
        assert service in sentence


@pytest.mark.parametrize(("level", "clause"), [(2, "TCVN 14423:2026 4.5.2.1"), (3, "TCVN 14423:2026 5.5.2.1")])
def test_an_excepted_place_is_judged_by_the_chapter_of_its_own_level(level: int, clause: str) -> None:
    excepted = PolicyException(
        "pod-hardened", f"{ONESTOP}/app", "the vendor's image runs as root", "vn83-dit", TODAY + timedelta(days=30)
    )
    small = hosted_system(level=level, procedures=False, subjects=1)
    declaration = replace(with_system(BASE, small), exceptions=(excepted,))
    assert [one.clause for one in findings(declaration) if one.rule == "pod-hardened"] == [clause]
    if level >= 3:  # No requirement of level 2 is met by pods alone.
        assert results(declaration, "Tiến trình chạy ở mức quyền hạn chế") == {"Còn phải xử lý"}
        assert results(BASE, "Tiến trình chạy ở mức quyền hạn chế") == {"Có trong thiết kế"}


def test_a_connection_in_plain_text_between_two_systems_is_an_open_point_of_both() -> None:
    two = second_system("vn83-portal")
    plain = Flow(
        component_end(ONESTOP, "app"), component_end("vn83-portal", "app"), 8081, "hồ sơ", tls=False, no_tls_reason="cũ"
    )
    broken = [one for one in findings(with_flows(two, plain)) if one.rule == "tls"]
    assert {one.where.partition(" (")[0] for one in broken} == {f"{ONESTOP}/app", "vn83-portal/app"}
    assert results(with_flows(two, plain), "Mã hóa khi truyền") == {"Còn phải xử lý"}
