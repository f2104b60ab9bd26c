"""The least level of a hosted system by the criteria of Decree 331/2026, each with its clause. Pure.

It must not compare with the declared level; that is a rule of `infra.policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    yield from _personal_data_criteria(system)
    if system.serves == "internal" and system.data == "public":
        yield LevelReason(
            1,
            "331 Art. 11.1",
            "phục vụ nội bộ, chỉ xử lý thông tin công cộng",
            "serves its own agency and has public information only",
        )
    elif system.serves != "public":
        yield LevelReason(
            2,
            "331 Art. 12.1",
            "xử lý thông tin riêng, thông tin cá nhân của cơ quan",
            "handles private or personal information of an agency",
        )


def _personal_data_criteria(system: HostedSystem) -> Iterator[LevelReason]:
    """Yield the criteria of systems that serve people: by the number of persons whose data they have."""
    if system.serves != "public":
        return
    limit = {"personal": BASIC_SUBJECTS, "sensitive": SENSITIVE_SUBJECTS}.get(system.data)
    kind_vi, kind_en = ("nhạy cảm", "sensitive") if system.data == "sensitive" else ("cơ bản", "basic")
    if limit is not None and system.subjects >= limit:
        yield LevelReason(
            3,
            "331 Art. 13.2.c",
            f"xử lý dữ liệu cá nhân {kind_vi} của từ {limit:,} người trở lên".replace(",", "."),
            f"has {kind_en} personal data of {limit:,} persons or more",
        )
    else:
        yield LevelReason(
            2,
            "331 Art. 12.2.b",
            "cung cấp dịch vụ trực tuyến cho người dân, doanh nghiệp",
            "serves people and enterprises online",
        )
