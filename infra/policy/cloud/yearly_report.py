"""The declared figures of a year's report, in Vietnamese: Decree 331/2026 Art. 35, Form 08 part 1.

It counts what is declared; people, incidents and money are not declared, and it says so. Pure.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from infra.plan.cloud.sentences import day_vi, number_vi
from infra.policy.cloud.breach import all_systems
from infra.policy.cloud.catalogue import LEVELS, PERSONAL_DATA
from infra.policy.cloud.dossier_words import STAGES
from infra.policy.cloud.report_tables import ReportDocument, ReportSection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.cloud.values import CloudPlan
    from infra.policy.catalogue import Finding


def report_period(year: int) -> tuple[date, date]:
    """Return the first and the last day of a year's figures: 15 December to 14 December (Art. 35).

    >>> report_period(2026)
    (datetime.date(2025, 12, 15), datetime.date(2026, 12, 14))
    """
    return date(year - 1, 12, 15), date(year, 12, 14)


def build_yearly_report(plan: CloudPlan, findings: Sequence[Finding], year: int) -> ReportDocument:
    """Return the report of a year; `findings` are those of the plan, on its day."""
    first, last = report_period(year)
    return ReportDocument(
        f"Số liệu khai báo năm {year} về bảo đảm an ninh mạng theo cấp độ",
        (
            f"Kỳ số liệu từ {day_vi(first)} đến {day_vi(last)} (Nghị định 331/2026/NĐ-CP, Điều 35, Mẫu 08 phần 1).",
            f"Lập ngày {day_vi(plan.today)} từ khai báo của tỉnh {plan.province}, {STAGES[plan.stage]}.",
            "Chỉ gồm những số liệu có trong khai báo.",
            "Số liệu về sự cố, nhân sự, đào tạo và kinh phí do đơn vị bổ sung.",
        ),
        (_by_level(plan), _by_owner(plan), _personal_data(plan), _drills(plan, year), _findings(plan, findings)),
    )


def _by_level(plan: CloudPlan) -> ReportSection:
    systems = all_systems(plan)
    rows = []
    for level in LEVELS:
        own = [one for one in systems if one.declared.level == level]
        approved = sum(one.declared.level_decision is not None for one in own)
        below = sum(one.least_level > level for one in own)
        rows.append((str(level), str(len(own)), str(approved), str(len(own) - approved), str(below)))
    approved = sum(one.declared.level_decision is not None for one in systems)
    below = sum(one.least_level > one.declared.level for one in systems)
    rows.append(("Tổng số", str(len(systems)), str(approved), str(len(systems) - approved), str(below)))
    columns = ("Cấp độ", "Số hệ thống", "Đã phê duyệt cấp độ", "Chưa phê duyệt", "Thấp hơn tiêu chí")
    return ReportSection("Hệ thống theo cấp độ", (), columns, tuple(rows))


def _by_owner(plan: CloudPlan) -> ReportSection:
    agencies = plan.declaration.agencies
    counts = Counter(one.declared.owner for one in all_systems(plan))
    rows = tuple(
        (agencies[owner].name_vi if owner in agencies else owner, owner, str(count))
        for owner, count in sorted(counts.items())
    )
    return ReportSection(
        "Hệ thống theo chủ quản", (), ("Chủ quản", "Mã", "Số hệ thống"), rows, "Không có hệ thống nào."
    )


def _personal_data(plan: CloudPlan) -> ReportSection:
    own = [one for one in all_systems(plan) if one.declared.data in PERSONAL_DATA]
    rows = tuple((one.id, str(one.declared.level), number_vi(one.declared.subjects)) for one in own)
    columns = ("Hệ thống", "Cấp độ", "Số chủ thể dữ liệu")
    return ReportSection("Hệ thống xử lý dữ liệu cá nhân", (), columns, rows, "Không có hệ thống nào.")


def _drills(plan: CloudPlan, year: int) -> ReportSection:
    first, last = report_period(year)
    rows = tuple(
        (one.system, day_vi(one.day), one.evidence)
        for one in sorted(plan.declaration.drills, key=lambda one: (one.day, one.system))
        if first <= one.day <= min(last, plan.today)
    )
    columns = ("Hệ thống", "Ngày", "Minh chứng")
    return ReportSection(
        "Diễn tập khôi phục trong kỳ", (), columns, rows, "Không có diễn tập nào được khai báo trong kỳ."
    )


def _findings(plan: CloudPlan, findings: Sequence[Finding]) -> ReportSection:
    counts = Counter((_place(one), one.severity) for one in findings)
    places = ["cloud", *(one.id for one in all_systems(plan))]
    rows = tuple(
        (
            "Toàn bộ đám mây" if place == "cloud" else place,
            str(counts[place, "mandatory"]),
            str(counts[place, "advisory"]),
        )
        for place in places
    )
    sentence = "Số phát hiện của đối chiếu tự động vào ngày lập; không phải kết luận về việc đáp ứng tiêu chuẩn."
    return ReportSection("Những điểm còn phải xử lý", (sentence,), ("Nơi phát hiện", "Bắt buộc", "Lưu ý"), rows)


def _place(finding: Finding) -> str:
    return finding.where.partition(" (")[0].partition("/")[0]
