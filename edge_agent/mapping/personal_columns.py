"""Tells by its header whether a column holds data of persons, which a mapping must not read; it must not see cells.

A header counts in any case and without diacritics: Số CCCD, so_cccd and "SO CCCD" are one.  `citizen_id` and
`customer_id` do not count: queue systems number visits so.
"""

from __future__ import annotations

import re

from edge_agent.mapping.cell_parsing import slugify

_PERSONS = (
    "nguoi-nop|nguoi-yeu-cau|nguoi-de-nghi|nguoi-nhan|nguoi-dan|cong-dan|khach-hang|chu-ho-so"
    "|applicant|citizen|customer"
)
_PERSONAL_HEADER = re.compile(
    rf"(?:ho-(?:va-|chu-dem-)?ten|ten|ho-ten)-(?:{_PERSONS})|ho-(?:va-)?ten(?:-.*)?|(?:{_PERSONS})(?:-ho-so)?|chu-so-huu"
    r"|(?:so-)?(?:dien-thoai|dt|sdt|di-dong|zalo)(?:-.*)?|(?:.*-)?(?:cccd|cmnd|cmtnd)(?:-.*)?"
    r"|(?:.*-)?can-cuoc(?:-.*)?|so-dinh-danh(?:-.*)?|(?:so-)?ho-chieu|(?:so-)?giay-to-tuy-than"
    r"|(?:.*-)?dia-chi(?:-.*)?|(?:dia-chi-)?e-?mail(?:-address)?|(?:ngay|nam)-(?:thang-nam-)?sinh|ma-so-thue|mst"
    r"|(?:ma-)?(?:so-)?(?:the-)?bh(?:xh|yt)|bien-so(?:-xe)?|so-tai-khoan|stk|so-the"
    rf"|(?:full|first|last|middle|family|given|{_PERSONS})-?(?:name|phone|email|address)|surname"
    r"|(?:tele|mobile-)?phone(?:-?(?:no|number))?|(?:home-|postal-|street-)?address|(?:national|identity)-?id(?:-.*)?"
    r"|id-?card(?:-.*)?|passport(?:-.*)?|birth-?(?:day|date)|date-of-birth|dob|tax-?(?:code|id|number)|licen[cs]e-plate"
    r"|(?:bank-)?account(?:-number)?|insurance-(?:id|number)|signature|photo|ghi-chu|comment|remarks?",
)  # fmt: skip


def is_personal_column(header: str) -> bool:
    """Return whether a column of this header has names, numbers, addresses or free text of persons.

    >>> is_personal_column("Số CCCD"), is_personal_column("Mã hồ sơ"), is_personal_column("customer.phone")
    (True, False, True)
    """
    own = slugify(header.rpartition(".")[2])
    return any(_PERSONAL_HEADER.fullmatch(name) for name in (own, slugify(header)))
