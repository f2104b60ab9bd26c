"""The least level of a hosted system by the criteria of Decree 331/2026, each with its clause. Pure.

It must not compare with the declared level; that is a rule of `infra.policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.sentences import number_vi
from infra.plan.cloud.values import LevelReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.cloud.values import HostedSystem

BASIC_SUBJECTS = 100_000
"""Persons with basic personal data from which a system has at least level 3 (Art. 13.2.c)."""
SENSITIVE_SUBJECTS = 10_000
"""Persons with sensitive personal data from which it has (Art. 13.2.c)."""


def level_reasons(system: HostedSystem) -> tuple[LevelReason, ...]:
    """Return every criterion that a system meets, the highest level first; the highest counts (Art. 8.2)."""
    return tuple(sorted(_criteria_met(system), key=lambda reason: (-reason.level, reason.clause)))


def refusal_clause(system: HostedSystem) -> str:
    """Return the clause by which a system may not run in a shared cloud; empty for one that may."""
    if system.data == "secret":
        return "331 Art. 13.1"
    return "331 Art. 30.9" if system.level >= 5 else ""


def _criteria_met(system: HostedSystem) -> Iterator[LevelReason]:
    if system.data == "secret":
        yield LevelReason(3, "331 Art. 13.1", "xử lý thông tin bí mật nhà nước", "handles state secrets")
    if system.procedures:
        yield LevelReason(
            3, "331 Art. 13.2.b", "phục vụ giải quyết thủ tục hành chính", "handles administrative procedures"
        )
    if system.serves == "infrastructure":
        yield LevelReason(
            3,
            "331 Art. 13.3",
            "là hạ tầng dùng chung cho các cơ quan của một tỉnh",
            "is infrastructure that serves the agencies of a province",
        )
    if system.serves == "control":
        yield LevelReason(
            3, "331 Art. 13.4", "điều khiển, vận hành công trình xây dựng", "controls and operates construction works"
        )
    if system.serves == "public":
        yield _online_service_criterion(system)
    elif system.serves != "infrastructure":
        yield _own_use_criterion(system)


def _own_use_criterion(system: HostedSystem) -> LevelReason:
    """Return the criterion of systems for an agency's own use, or of no other kind."""
    is_internal = system.serves == "internal"
    if system.data == "public":
        return LevelReason(
            1,
            "331 Art. 11.1" if is_internal else "331 Art. 11.2",
            "chỉ xử lý thông tin công cộng",
            "has public information only",
        )
    return LevelReason(
        2,
        "331 Art. 12.1" if is_internal else "331 Art. 12.4",
        "xử lý thông tin riêng hoặc thông tin cá nhân của người sử dụng",
        "has private information, or personal information of its users",
    )


def _online_service_criterion(system: HostedSystem) -> LevelReason:
    """Return the criterion of systems that serve people and enterprises: by the number of persons in their data."""
    if system.data == "public":
        return LevelReason(
            2,
            "331 Art. 12.2.a",
            "cung cấp dịch vụ trực tuyến cho người dân, doanh nghiệp",
            "serves people and enterprises online",
        )
    is_sensitive = system.data == "sensitive"
    limit = SENSITIVE_SUBJECTS if is_sensitive else BASIC_SUBJECTS
    kind_vi, kind_en = ("nhạy cảm", "sensitive") if is_sensitive else ("cơ bản", "basic")
    is_above = system.subjects >= limit
    count_vi = f"{'từ' if is_above else 'dưới'} {number_vi(limit)} người{' trở lên' if is_above else ''}"
    count_en = f"{limit:,} persons or more" if is_above else f"fewer than {limit:,} persons"
    return LevelReason(
        3 if is_above else 2,
        "331 Art. 13.2.c" if is_above else "331 Art. 12.2.b",
        f"dịch vụ trực tuyến có dữ liệu cá nhân {kind_vi} của {count_vi}",
        f"serves people online with {kind_en} personal data of {count_en}",
    )
