"""The dossier of a hosted system's level, in Vietnamese, from its plan (Decree 331/2026 Art. 22).

It states what is declared, and counts. It must not say that a system meets a standard: others appraise it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import day_vi, number_vi
from infra.plan.cloud.tenancy import is_autoscaled
from infra.plan.cloud.zones import zone_breach
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.clauses import clause_counts, requirements_of
from infra.policy.cloud.dossier_words import (
    BUILT,
    COMPONENT_KINDS,
    COUNTRIES,
    DATA,
    DECREES,
    ENDS,
    EXPOSURES,
    MEDIA,
    PARTS,
    PROTECTION_NAMES,
    RESULTS,
    SERVED,
    STAGES,
    ZONES,
)
from infra.policy.cloud.report_tables import ReportDocument, ReportSection
from telemetry.core.hosted.database_figures import wanted_instances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, Endpoint, SystemPlan
    from infra.policy.catalogue import Finding
    from telemetry.core.cloud.values import Component

UNKNOWN: Final = "chưa khai báo"
_DECREE_CLAUSE: Final = re.compile(r"(\d{3})(?:/(\d{4}))? Art\. (\d+)(?:\.(\d+))?(?:\.([a-zđ])(?![a-z]))?")
_MORE_ARTICLES: Final = re.compile(r"(\d{3}(?:/\d{4})?) Art\. ([\d.]+[a-zđ]?)((?:, [\d.]+[a-zđ]?)+)(?![\w.–])")
_SPANS: Final = ((86_400, "ngày"), (3_600, "giờ"), (60, "phút"))


def build_dossier(plan: CloudPlan, system: SystemPlan, name_vi: str, findings: Sequence[Finding]) -> ReportDocument:
    """Return the dossier of a system; `findings` are those of the whole plan, on its day."""
    own = [one for one in findings if _place(one) in {system.id, "cloud"}]
    return ReportDocument(
        f"Thuyết minh cấp độ: {name_vi}",
        (
            f"Lập ngày {_day(plan.today)} từ khai báo của hệ thống {system.id}.",
            f"Phục vụ hồ sơ đề xuất cấp độ (Điều 22 Nghị định 331/2026/NĐ-CP), {STAGES[plan.stage]}.",
            "Tài liệu liệt kê những gì đã khai báo và kết quả đối chiếu tự động.",
            "Tài liệu không thay cho thẩm định và không kết luận hệ thống đã đáp ứng tiêu chuẩn.",
        ),
        (
            _roles(plan, system),
            _scope(system),
            _data(plan, system),
            _level(system),
            _zones(system),
            _applications(system),
            _connections(plan, system),
            _copies(plan, system),
            _operation(plan),
            _exceptions(plan, system),
            _counts(plan, system, findings),
            _requirements(plan, system, findings),
            _open_points(own),
        ),
    )


def _place(finding: Finding) -> str:
    return finding.where.partition(" (")[0].partition("/")[0]


def _day(day: date | None) -> str:
    return day_vi(day) if day else UNKNOWN


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:g}".replace(".", ",") + " lõi"


def _memory(mb: int) -> str:
    """Return a memory in GB, of 1,024 MB.

    >>> _memory(512), _memory(17_408)
    ('0,5 GB', '17 GB')
    """
    return f"{mb / 1024:.4g}".replace(".", ",") + " GB"


def _span(seconds: int) -> str:
    """Return a time in the largest unit of which it is a multiple.

    >>> _span(3600), _span(90), _span(0)
    ('1 giờ', '90 giây', '0 giây')
    """
    unit = next(((size, name) for size, name in _SPANS if seconds and seconds % size == 0), (1, "giây"))
    return f"{seconds // unit[0]} {unit[1]}"


def _clause(text: str) -> str:
    """Return a clause as Vietnamese documents quote it: the point, the paragraph, the article, the decree.

    >>> _clause("331 Art. 13.2.b")
    'điểm b khoản 2 Điều 13 Nghị định 331/2026/NĐ-CP'
    >>> _clause("331 Art. 30.6, 39.1")
    'khoản 6 Điều 30 Nghị định 331/2026/NĐ-CP, khoản 1 Điều 39 Nghị định 331/2026/NĐ-CP'
    >>> _clause("TCVN 14423:2026 5.12.2.4 d")
    'TCVN 14423:2026 5.12.2.4 d'
    """
    return _DECREE_CLAUSE.sub(_decree_quote, _MORE_ARTICLES.sub(_with_decree, text))


def _with_decree(match: re.Match[str]) -> str:
    """Write the decree before each further article: `331 Art. 30.6, 39.1` is two clauses of it."""
    decree, first, others = match.groups()
    return ", ".join(f"{decree} Art. {article}" for article in (first, *others.split(", ")[1:]))


def _decree_quote(match: re.Match[str]) -> str:
    decree, year, article, paragraph, point = match.groups()
    parts = (f"điểm {point}" if point else "", f"khoản {paragraph}" if paragraph else "", f"Điều {article}")
    return " ".join((*filter(None, parts), f"Nghị định {decree}/{year or DECREES.get(decree, '')}/NĐ-CP"))


def _roles(plan: CloudPlan, system: SystemPlan) -> ReportSection:
    agencies, hosted = plan.declaration.agencies, system.declared

    def agency(ident: str) -> str:
        return f"{agencies[ident].name_vi} ({ident})" if ident in agencies else f"{ident} ({UNKNOWN})"

    rows = (
        ("Chủ quản hệ thống thông tin", agency(hosted.owner), "Điều 4, Điều 31 Nghị định 331/2026/NĐ-CP"),
        ("Đơn vị vận hành", agency(hosted.operator), "Điều 5, Điều 33 Nghị định 331/2026/NĐ-CP"),
        ("Đơn vị chuyên trách về an ninh mạng", agency(hosted.security), "Điều 32 Nghị định 331/2026/NĐ-CP"),
    )
    return ReportSection("Các vai trò", (), ("Vai trò", "Cơ quan", "Căn cứ"), rows)


def _scope(system: SystemPlan) -> ReportSection:
    hosted = system.declared
    rows = (
        ("Mã hệ thống", hosted.id),
        ("Loại hệ thống (khoản 2 Điều 9)", SERVED[hosted.serves]),
        ("Giải quyết thủ tục hành chính", "Có" if hosted.procedures else "Không"),
        ("Phạm vi truy cập", EXPOSURES[hosted.exposure]),
        ("Tên miền", hosted.host or "không có"),
        ("Địa điểm đặt hệ thống", hosted.site),
        ("Địa điểm dự phòng", hosted.spare_site or "không có"),
        ("Số thành phần", str(len(system.components))),
    )
    return ReportSection("Phạm vi, quy mô", (), ("Nội dung", "Khai báo"), rows)


def _data(plan: CloudPlan, system: SystemPlan) -> ReportSection:
    hosted, sites = system.declared, plan.declaration.sites
    places = [hosted.site, hosted.spare_site, *(store.site for store in plan.declaration.backups)]
    countries = {one: sites[one].country for one in places if one in sites}
    stored = sorted(f"{one} ({COUNTRIES.get(country, country)})" for one, country in countries.items())
    rows = (
        ("Loại dữ liệu quan trọng nhất", DATA[hosted.data]),
        ("Số chủ thể dữ liệu cá nhân", number_vi(hosted.subjects)),
        ("Nơi lưu trữ, kể cả bản sao", ", ".join(stored) or UNKNOWN),
    )
    return ReportSection("Dữ liệu xử lý", (), ("Nội dung", "Khai báo"), rows)


def _level(system: SystemPlan) -> ReportSection:
    hosted = system.declared
    decision = hosted.level_decision
    approved = f"Quyết định {decision.number} ngày {_day(decision.day)}" if decision else "chưa có quyết định phê duyệt"
    rows = tuple((str(one.level), one.reason_vi, _clause(one.clause)) for one in system.reasons)
    return ReportSection(
        "Cấp độ và căn cứ",
        (
            f"Cấp độ đề xuất: {hosted.level} ({approved}). Cấp độ thấp nhất theo tiêu chí: {system.least_level}.",
            "Khi có nhiều tiêu chí, áp dụng cấp độ cao nhất (khoản 2 Điều 8).",
        ),
        ("Cấp độ", "Tiêu chí", "Căn cứ"),
        rows,
        "Không có tiêu chí nào từ cấp độ 2 trở lên.",
    )


def _zones(system: SystemPlan) -> ReportSection:
    rows = tuple(
        (
            ZONES[zone.zone], zone.namespace, zone.cidr or "chưa cấp",
            f"{_cores(zone.quota.cpu_millicores)}, {_memory(zone.quota.memory_mb)}",
            f"{number_vi(zone.quota.disk_gb)} GB" if zone.quota.disk_gb else "–",
        )
        for zone in system.zones
    )  # fmt: skip
    return ReportSection(
        "Vùng mạng và địa chỉ", (), ("Vùng", "Tên vật lý", "Dải địa chỉ", "Hạn mức tính toán", "Hạn mức đĩa"), rows
    )


def _applications(system: SystemPlan) -> ReportSection:
    rows = tuple(
        (
            one.declared.id, COMPONENT_KINDS[one.declared.kind], ZONES[one.declared.zone],
            _instances(system, one.declared),
            f"{_cores(one.size.cpu_millicores)}, {_memory(one.size.memory_mb)}",
            f"{number_vi(one.declared.disk_gb)} GB" if one.declared.disk_gb else "–",
            _ports(one.declared), one.declared.image or "–",
        )
        for one in system.components
    )  # fmt: skip
    columns = ("Thành phần", "Loại", "Vùng", "Số bản chạy", "Cấu hình mỗi bản", "Đĩa", "Cổng", "Phần mềm")
    return ReportSection("Ứng dụng và nơi cài đặt", (), columns, rows)


def _ports(component: Component) -> str:
    """Return the port of the service, and that of health and administration where it is apart."""
    apart = f", quản trị {component.health_port}" if component.health_port else ""
    return f"{component.port or '–'}{apart}"


def _instances(system: SystemPlan, component: Component) -> str:
    """Return how many instances run: a range only where an autoscaler counts them, none of a bucket."""
    if component.kind == "objects":
        return "–"
    if component.kind == "database":
        return str(wanted_instances(system.declared.level, component.least))
    least, most = component.least, component.most
    return f"{least} đến {most}" if is_autoscaled(component) and most > least else str(least)


def _connections(plan: CloudPlan, system: SystemPlan) -> ReportSection:
    own = [one for one in plan.connections if system.id in {one.source.system, one.target.system}]
    sentence = (
        "Ngoài các kết nối sau và các dịch vụ nền tảng (tên miền, thời gian, nhật ký, giám sát, bí mật, sao lưu, "
        "vận hành cơ sở dữ liệu), mọi kết nối đều bị chặn."
    )
    forbidden = "Kết nối ghi “KHÔNG ĐƯỢC PHÉP” trái với quy định về vùng mạng, phải bỏ hoặc sửa trước khi triển khai."
    rows = tuple(_connection_row(plan, one) for one in own)
    sentences = (sentence, forbidden) if any(zone_breach(plan, one) for one in own) else (sentence,)
    columns = ("Từ", "Đến", "Cổng", "Mã hóa TLS", "Mục đích")
    return ReportSection("Kết nối được phép", sentences, columns, rows, "Không khai báo kết nối nào.")


def _connection_row(plan: CloudPlan, one: AllowedConnection) -> tuple[str, ...]:
    """Return the row of a connection; one that the matrix of zones forbids says so, with the clause."""
    tls, breach, why = "Có" if one.tls else "Không", zone_breach(plan, one), one.why or "–"
    if breach is not None:
        why = f"KHÔNG ĐƯỢC PHÉP theo {_clause(breach.clause)}: {why}"
    return _end(one.source), _end(one.target), f"{one.port}/{one.protocol}", tls, why


def _end(end: Endpoint) -> str:
    if end.kind == "edge":
        return f"{EXPOSURES[end.name]}, qua vùng mạng biên" if end.name in EXPOSURES else f"{ENDS['edge']}: {end.name}"
    return f"{end.system}/{end.name}" if end.kind == "component" else f"{ENDS[end.kind]}: {end.name}"


def _copies(plan: CloudPlan, system: SystemPlan) -> ReportSection:
    hosted = system.declared
    drills = [one for one in plan.declaration.drills if one.system == system.id and one.day <= plan.today]
    last = max(drills, key=lambda one: one.day, default=None)
    proven = f"{_day(last.day)} ({last.evidence})" if last else "chưa có"
    rows = tuple(
        (
            store.id, store.site, MEDIA[store.medium], _span(store.every_s) + (", và liên tục" if store.wal else ""),
            "Có" if store.encrypted else "Không", "Có" if store.locked else "Không",
        )
        for store in plan.declaration.backups
    )  # fmt: skip
    return ReportSection(
        "Sao lưu và khôi phục",
        (
            f"Mức mất dữ liệu tối đa (RPO) {_span(hosted.rpo_s)}, do chủ quản cam kết.",
            f"Thời gian khôi phục tối đa (RTO) {_span(hosted.rto_s)}, do chủ quản cam kết.",
            f"Lần diễn tập khôi phục gần nhất: {proven}.",
        ),
        ("Kho bản sao", "Địa điểm", "Loại lưu trữ", "Chu kỳ", "Mã hóa", "Chống sửa, xóa"),
        rows,
        "Chưa khai báo kho bản sao nào.",
    )


def _operation(plan: CloudPlan) -> ReportSection:
    logs = plan.declaration.logs
    sentence = (
        f"Nhật ký lưu tập trung {logs.keep_days} ngày, tại {ZONES[logs.zone].replace('Vùng', 'vùng', 1)}."
        if logs
        else "Chưa khai báo kho nhật ký."
    )
    rows = tuple(
        (PROTECTION_NAMES[one.name], _day(one.since), one.evidence, _day(one.evidence_day))
        for _, one in sorted(plan.declaration.protections.items())
    )
    columns = ("Biện pháp", "Áp dụng từ", "Minh chứng", "Ngày minh chứng")
    return ReportSection(
        "Nhật ký và biện pháp đặt ngoài hệ thống", (sentence,), columns, rows, "Chưa khai báo biện pháp nào."
    )


def _exceptions(plan: CloudPlan, system: SystemPlan) -> ReportSection:
    places = {system.id, "cloud"}
    rows = tuple(
        (
            CLOUD_RULES[one.rule].title_vi if one.rule in CLOUD_RULES else one.rule,
            one.where,
            one.why,
            one.by,
            _day(one.until),
        )
        for one in plan.declaration.exceptions
        if one.where.partition("/")[0] in places
    )
    columns = ("Quy tắc", "Nơi áp dụng", "Lý do", "Cơ quan chịu trách nhiệm", "Đến ngày")
    return ReportSection("Ngoại lệ có thời hạn", (), columns, rows, "Không có ngoại lệ.")


def _counts(plan: CloudPlan, system: SystemPlan, findings: Sequence[Finding]) -> ReportSection:
    counts = next((one for one in clause_counts(plan, findings) if one.system == system.id), None)
    if counts is None:
        return ReportSection(
            "Đối chiếu yêu cầu của cấp độ", ("Không đối chiếu được: cấp độ ngoài phạm vi của đám mây này.",)
        )
    rows = (
        (PARTS["built"], str(counts.built)),
        (PARTS["checked"], str(counts.checked)),
        (PARTS["named"], str(counts.named)),
        ("Còn phải xử lý", str(len(counts.open))),
        ("Ngoài phạm vi đối chiếu tự động (con người, phòng máy, hợp đồng)", str(counts.outside)),
    )
    sentences = (
        "Số yêu cầu tính theo một bảng kiểm không chính thức của TCVN 14423:2026.",
        "Bản tiêu chuẩn chưa được đối chiếu trực tiếp.",
    )
    return ReportSection("Đối chiếu yêu cầu của cấp độ", sentences, ("Cách đáp ứng", "Số yêu cầu"), rows)


def _requirements(plan: CloudPlan, system: SystemPlan, findings: Sequence[Finding]) -> ReportSection:
    counts = next((one for one in clause_counts(plan, findings) if one.system == system.id), None)
    still_open = counts.open if counts else ()
    rows = tuple(
        (one.clause, PARTS[one.part], ", ".join(_rule_title(rule) for rule in one.rules) or BUILT[one.by],
         "Còn phải xử lý" if one in still_open else RESULTS[one.part])
        for one in requirements_of(system)
    )  # fmt: skip
    columns = ("Điều khoản TCVN 14423:2026", "Cách đáp ứng", "Nội dung", "Kết quả")
    return ReportSection("Các điều khoản được đối chiếu", (), columns, rows, "Không có.")


def _rule_title(rule: str) -> str:
    return CLOUD_RULES[rule].title_vi if rule in CLOUD_RULES else rule


def _open_points(findings: Sequence[Finding]) -> ReportSection:
    """Return a row for each thing that is wrong, with its remedy and all its places."""
    places: dict[tuple[bool, str, str, str, str], list[str]] = {}
    for one in findings:
        key = (one.severity != "mandatory", one.rule, one.problem_vi, one.remedy_vi, _clause(one.clause))
        places.setdefault(key, []).append(one.where)
    rows = tuple(
        (
            "Lưu ý" if is_hint else "Bắt buộc", _rule_title(rule), problem, remedy,
            ", ".join(sorted(where)), clause or "–",
        )
        for (is_hint, rule, problem, remedy, clause), where in sorted(places.items())
    )  # fmt: skip
    columns = ("Mức", "Quy tắc", "Vấn đề", "Cách xử lý", "Nơi phát hiện", "Căn cứ")
    return ReportSection(
        "Những điểm còn phải xử lý", (), columns, rows, "Đến ngày lập không phát hiện điểm nào còn phải xử lý."
    )
