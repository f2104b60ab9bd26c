"""The types of values in a stack file: each checks one value and says what to write instead. It knows no option."""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from telemetry.http_address import http_base_url

_LABEL_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_CERTIFICATES_PATTERN = re.compile(r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\s*)+")
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


def _check_label(value: str) -> str:
    if not _LABEL_PATTERN.fullmatch(value):
        raise ValueError("use 1 to 63 of a-z, 0-9 and -, a letter or digit at both ends")
    return value


def _check_host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if not _HOST_PATTERN.fullmatch(value):
            raise ValueError("write a DNS name or an IP address") from None
    return value


def _check_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("write a network as 10.20.0.0/16") from None


def _check_url(value: str) -> str:
    base_url = http_base_url(value)
    if not base_url or base_url != value.rstrip("/"):
        raise ValueError("write http://HOST:PORT or https://HOST:PORT, without a user or password")
    return value.rstrip("/")


def _check_certificates(value: str) -> str:
    text = value.strip()
    if text and not _CERTIFICATES_PATTERN.fullmatch(text):
        raise ValueError("write certificates alone, as -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----")
    return f"{text}\n" if text else ""


def _reject_boolean(value: object) -> object:
    """Refuse true and false, which pydantic would accept as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("write a whole number")  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


def _check_day_format(value: object) -> object:
    """Accept a day as YAML or the engine passes it, and no number of seconds."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("write a day as 2026-01-31")


def _check_day_range(value: date) -> date:
    if not _FIRST_DAY <= value <= _LAST_DAY:
        raise ValueError(f"write a day from {_FIRST_DAY} to {_LAST_DAY}")
    return value


def _check_distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"names {', '.join(repeated)} twice; write each once")
    return values


DnsLabel = Annotated[str, AfterValidator(_check_label)]
HostAddress = Annotated[str, AfterValidator(_check_host)]
IpNetwork = Annotated[str, AfterValidator(_check_network)]
HttpAddress = Annotated[str, AfterValidator(_check_url)]
CertificateText = Annotated[str, AfterValidator(_check_certificates)]
"""Certificates in PEM, one or several; empty for none."""
StrictInt = Annotated[int, BeforeValidator(_reject_boolean)]
OptionDate = Annotated[date, BeforeValidator(_check_day_format), AfterValidator(_check_day_range)]
SingleLineText = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A text without line breaks, because it is written into configuration files."""
DistinctNames = Annotated[tuple[SingleLineText, ...], AfterValidator(_check_distinct)]
InfluxName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\W_][\w .-]*$")]
"""A name in InfluxDB: Flux texts contain it too, so it has no quotes, backslashes or dollars."""
