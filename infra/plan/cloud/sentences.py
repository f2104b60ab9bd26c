"""Sentences for officials in both languages, and how Vietnamese texts write numbers, days and networks. Pure.

Whoever makes a sentence writes both texts at one place, so that none is translated elsewhere. It must not judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from telemetry.core.cloud.zone_matrix import Network

NETWORKS_VI: Final[Mapping[Network, str]] = MappingProxyType(
    {
        "edge": "vùng mạng biên",
        "dmz": "vùng DMZ",
        "server": "vùng máy chủ nội bộ",
        "database": "vùng cơ sở dữ liệu",
        "manage": "vùng quản trị",
        "internet": "Internet",
        "office": "mạng nội bộ của cơ quan",
        "wireless": "mạng không dây",
        "wan": "mạng truyền số liệu chuyên dùng",
        "partner": "mạng của đối tác",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Sentence:
    """A problem or a remedy in English, as the commands print it, and in Vietnamese, as the dossier does."""

    en: str
    vi: str


def number_vi(number: int) -> str:
    """Return a whole number as Vietnamese texts write it.

    >>> number_vi(1500)
    '1.500'
    """
    return f"{number:,}".replace(",", ".")


def day_vi(day: date) -> str:
    """Return a day as Vietnamese texts write it: dd/mm/yyyy."""
    return f"{day:%d/%m/%Y}"
