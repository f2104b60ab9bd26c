"""The dossier and the yearly report: what is declared, counts and open points, in Vietnamese; never a verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.breach import all_systems
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.clauses import CLAUSES_BY_LEVEL
from infra.policy.cloud.dossier import build_dossier
from infra.policy.cloud.dossier_words import BUILT
from infra.policy.cloud.report_tables import ReportDocument, ReportSection, render_html, render_markdown
from infra.policy.cloud.yearly_report import build_yearly_report
from telemetry.core.cloud.values import CloudDeclaration, Flow, RestoreDrill
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_declaration,
    changed_components,
    component_end,
    hosted_system,
    outside,
    with_flows,
    with_system,
)

NAME = "Hệ thống thông tin một cửa điện tử"


def dossier_of(declaration: CloudDeclaration) -> dict[str, ReportSection]:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    system = next(one for one in all_systems(plan) if one.id == ONESTOP)
    document = build_dossier(plan, system, NAME, check_cloud_plan(plan))
    return {section.title: section for section in document.sections}


def test_a_connection_of_two_rows_keeps_both_purposes_and_a_forbidden_one_says_so() -> None:
    calls = Flow(outside("tslcd"), component_end(ONESTOP, "web"), 8080, "officials at the desks")
    rows = dossier_of(with_flows(base_declaration(), calls))["Kết nối được phép"].rows
    assert "officials at the desks; people's pages" in [row[-1] for row in rows]
    skips = Flow(component_end(ONESTOP, "web"), component_end(ONESTOP, "db"), 5432, "a shortcut")
    section = dossier_of(with_flows(base_declaration(), skips))["Kết nối được phép"]
    (marked,) = [row[-1] for row in section.rows if row[-1].endswith("a shortcut")]
    assert marked.startswith("KHÔNG ĐƯỢC PHÉP theo ")
    assert any("KHÔNG ĐƯỢC PHÉP" in sentence for sentence in section.sentences)


def test_an_open_point_says_what_is_wrong_and_its_remedy() -> None:
    ground = replace(base_declaration().ground, storage_encrypted=False)
    section = dossier_of(replace(base_declaration(), ground=ground))["Những điểm còn phải xử lý"]
    (row,) = section.rows
    assert row[2] == "Ổ đĩa chưa được mã hóa"
    assert row[3] == "Dùng loại ổ đĩa có mã hóa, rồi ghi storage_encrypted = true trong [ground] của cloud.toml"
    undecided = with_system(base_declaration(), hosted_system(level_decision=None))
    (row,) = dossier_of(undecided)["Những điểm còn phải xử lý"].rows
    assert "khoản 1 Điều 39 Nghị định 331/2026/NĐ-CP" in row[-1]


def yearly(declaration: CloudDeclaration, year: int = 2026, today: date = TODAY) -> dict[str, ReportSection]:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=today)
    return {one.title: one for one in build_yearly_report(plan, check_cloud_plan(plan), year).sections}


def test_it_names_roles_zones_applications_and_the_reason_of_the_level() -> None:
    sections = dossier_of(base_declaration())
    assert sections["Các vai trò"].rows[0] == (
        "Chủ quản hệ thống thông tin", "Ủy ban nhân dân tỉnh (vn83-ubnd)", "Điều 4, Điều 31 Nghị định 331/2026/NĐ-CP",
    )  # fmt: skip
    assert [row[:3] for row in sections["Vùng mạng và địa chỉ"].rows] == [
        ("Vùng DMZ", f"{ONESTOP}-dmz", "10.83.65.0/24"),
        ("Vùng máy chủ nội bộ", f"{ONESTOP}-server", "10.83.129.0/24"),
        ("Vùng cơ sở dữ liệu", f"{ONESTOP}-database", "10.83.193.0/24"),
    ]
    assert [row[0] for row in sections["Ứng dụng và nơi cài đặt"].rows] == ["web", "app", "db"]
    level = sections["Cấp độ và căn cứ"]
    assert "Cấp độ đề xuất: 3 (Quyết định 01/QĐ ngày 01/09/2026)" in level.sentences[0]
    assert any(row[2] == "điểm b khoản 2 Điều 13 Nghị định 331/2026/NĐ-CP" for row in level.rows)
    assert ("Số chủ thể dữ liệu cá nhân", "900.000") in sections["Dữ liệu xử lý"].rows


def test_counts_add_up_and_an_open_point_moves_from_its_part_to_the_open_ones() -> None:
    def counts(declaration: CloudDeclaration) -> dict[str, int]:
        return {name: int(number) for name, number in dossier_of(declaration)["Đối chiếu yêu cầu của cấp độ"].rows}

    good = counts(base_declaration())
    components = changed_components(base_declaration().components, lambda one: one.id == "app", least=1)
    bad = counts(replace(base_declaration(), components=components))
    assert sum(good.values()) == sum(bad.values()) == 195
    assert bad["Còn phải xử lý"] > good["Còn phải xử lý"]
    points = dossier_of(replace(base_declaration(), components=components))["Những điểm còn phải xử lý"].rows
    assert any(row[0] == "Bắt buộc" and row[4].startswith(f"{ONESTOP}/app") for row in points)


def test_every_clause_of_every_level_has_its_vietnamese_words() -> None:
    for level in (1, 2, 3, 4):
        changed = hosted_system(level=level, procedures=False, subjects=0, data="private")
        rows = dossier_of(with_system(base_declaration(), changed))["Các điều khoản được đối chiếu"].rows
        assert len(rows) == len(CLAUSES_BY_LEVEL[level])
        assert all(row[0].startswith(f"{level + 2}.") and row[2] for row in rows)
    built = {one.by for clauses in CLAUSES_BY_LEVEL.values() for one in clauses if one.part == "built"}
    assert built == set(BUILT)


def test_what_is_not_declared_says_so() -> None:
    bare = replace(base_declaration(), agencies={}, logs=None, backups=(), protections={}, flows=(), lock=())
    sections = dossier_of(with_system(bare, hosted_system(level_decision=None, host="", exposure="none")))
    assert sections["Các vai trò"].rows[0][1] == "vn83-ubnd (chưa khai báo)"
    assert "chưa có quyết định phê duyệt" in sections["Cấp độ và căn cứ"].sentences[0]
    assert {row[2] for row in sections["Vùng mạng và địa chỉ"].rows} == {"chưa cấp"}
    assert sections["Sao lưu và khôi phục"].empty == "Chưa khai báo kho bản sao nào."
    assert sections["Kết nối được phép"].empty == "Không khai báo kết nối nào."


def test_a_level_that_nobody_may_host_is_described_and_not_compared() -> None:
    sections = dossier_of(with_system(base_declaration(), hosted_system(level=5)))
    assert sections["Đối chiếu yêu cầu của cấp độ"].rows == ()
    assert any(row[0] == "Bắt buộc" for row in sections["Những điểm còn phải xử lý"].rows)


def test_no_document_says_that_anything_meets_a_standard() -> None:
    plan = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY)
    findings = check_cloud_plan(plan)
    for document in (build_dossier(plan, plan.systems[0], NAME, findings), build_yearly_report(plan, findings, 2026)):
        text = render_markdown(document)
        claims = re.findall(r"[^.|\n]*(?:đáp ứng|tuân thủ|đạt) (?:đầy đủ |yêu cầu |tiêu chuẩn|chuẩn)[^.|\n]*", text)
        assert [claim for claim in claims if "không" not in claim.lower()] == []


def test_the_year_counts_systems_by_level_and_the_drills_of_its_period() -> None:
    drills = tuple(
        RestoreDrill(ONESTOP, day, f"record {day}")
        for day in (date(2025, 12, 14), date(2025, 12, 15), date(2026, 12, 14), date(2026, 12, 15))
    )
    declaration = with_system(base_declaration(), hosted_system("vn83-eform", level=2, level_decision=None))
    sections = yearly(replace(declaration, drills=drills), today=date(2026, 12, 20))
    levels = {row[0]: row[1:] for row in sections["Hệ thống theo cấp độ"].rows}
    assert (levels["2"], levels["3"], levels["Tổng số"]) == (
        ("1", "0", "1", "1"), ("1", "1", "0", "0"), ("2", "1", "1", "1"),
    )  # fmt: skip
    assert [row[1] for row in sections["Diễn tập khôi phục trong kỳ"].rows] == ["15/12/2025", "14/12/2026"]
    assert sections["Hệ thống theo chủ quản"].rows == (("Ủy ban nhân dân tỉnh", "vn83-ubnd", "2"),)


def test_cells_cannot_break_a_table() -> None:
    section = ReportSection("A", (), ("x", "y"), (("a|b", "<script>\n"),))
    document = ReportDocument("T & U", ("s",), (section, ReportSection("B", empty="none")))
    assert "| a\\|b | <script>  |" in render_markdown(document)
    assert "## 2. B\n\nnone\n" in render_markdown(document)
    html = render_html(document)
    assert '<td class="whole">a|b</td>' in html
    assert "&lt;script&gt;" in html
    assert "<title>T &amp; U</title>" in html
