"""Reads a kind's inputs field by field and gathers what is wrong with them. It must not show a key's text."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeVar

from infra.providers.pki import pem
from infra.providers.pki.signing import Issuer, ValidityPeriod, is_authority, key_matches
from infra.providers.resource_kind import InputFault, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography import x509

    from infra.providers.resource_kind import Props

Value = TypeVar("Value")
_DNS_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_PATTERN = re.compile(rf"{_DNS_LABEL}(\.{_DNS_LABEL})*")
_DATE_REMEDY = "write a date as 2027-01-31, or a time with offset"


def parse_time(text: str) -> datetime:
    """Return the aware time of an ISO date (its midnight, UTC) or time. Raises ValueError."""
    try:
        if len(text) == len("2027-01-31"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; {_DATE_REMEDY}") from None
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; {_DATE_REMEDY}")
    return parsed.astimezone(UTC).replace(microsecond=0)


def parse_host(text: str) -> str:
    """Return a DNS name or IP address as it stands in a certificate. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Four numbers are an address that somebody mistyped: no top-level domain is one.
        if len(text) > 253 or not _HOST_PATTERN.fullmatch(text) or text.rpartition(".")[2].isdigit():
            raise ValueError(f"{text!r} is neither a DNS name nor an IP address; name each host in full") from None
    return text.lower()


def parse_common_name(text: str) -> str:
    """Return a name that fits a certificate. Raises ValueError."""
    if not 1 <= len(text) <= 64 or not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r} does not fit a certificate; use 1 to 64 printable characters")
    return text


class InputReader:
    """Inputs, read one by one; what is missing or wrong gives None and is remembered in `failures`."""

    def __init__(self, values: Props, known_fields: Iterable[str]) -> None:
        self._values = values
        self.faults: list[InputFault] = []
        for name in sorted(set(values) - set(known_fields)):
            self.add_fault(name, f"is unknown here; use {', '.join(sorted(known_fields))}")

    def add_fault(self, field: str, reason: str) -> None:
        """Remember that an input cannot be used."""
        self.faults.append(InputFault(field, reason))

    def require(self, value: Value | None) -> Value:
        """Return what was read. Raises ProviderError with everything that was found wrong."""
        if self.faults or value is None:
            raise ProviderError("; ".join(f"{fault.field}: {fault.reason}" for fault in self.faults))
        return value

    def is_given(self, field: str) -> bool:
        """Tell whether an input is given and not empty."""
        return self._values.get(field) not in (None, "", False)

    def text(self, field: str, read: Callable[[str], Value]) -> Value | None:
        """Return an input that is text, as `read` understands it."""
        value = self._values.get(field)
        if not isinstance(value, str) or not value:
            self.add_fault(field, "is missing; it must be text")
            return None
        return self._parse_value(field, value, read)

    def number(self, field: str, least: int) -> int | None:
        """Return a whole number."""
        value = self._values.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.add_fault(field, f"must be a whole number from {least} on")
            return None
        return value

    def texts(self, field: str, read: Callable[[str], Value]) -> list[Value]:
        """Return a list of texts, each as `read` understands it; an absent list is empty."""
        values = self._values.get(field)
        if values is None:
            return []
        if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
            self.add_fault(field, "must be a list of texts")
            return []
        parsed = [self._parse_value(field, text, read) for text in values]
        return [text for text in parsed if text is not None]

    def maps(self, field: str) -> list[Props]:
        """Return a list of mappings; an absent list is empty."""
        values = self._values.get(field)
        if values is None:
            return []
        if not isinstance(values, list) or not all(isinstance(entry, dict) for entry in values):
            self.add_fault(field, "must be a list of mappings")
            return []
        return values

    def validity(self, begins: str, ends: str) -> ValidityPeriod | None:
        """Return the time between two inputs."""
        first, last = self.text(begins, parse_time), self.text(ends, parse_time)
        if first is None or last is None:
            return None
        if first >= last:
            self.add_fault(ends, f"is not after {begins}; swap or correct them")
            return None
        return ValidityPeriod(first, last)

    def issuer(self, certificate: str, key: str) -> Issuer | None:
        """Return an authority with its key, which must be a pair."""
        issuer_certificate, private_key = self.authority(certificate), self.text(key, pem.parse_private_key)
        if issuer_certificate is None or private_key is None:
            return None
        if not key_matches(private_key, issuer_certificate):
            self.add_fault(key, f"does not belong to {certificate}; give the key that was made with it")
            return None
        return Issuer(issuer_certificate, private_key)

    def authority(self, field: str) -> x509.Certificate | None:
        """Return the one certificate of an authority."""
        certificates = self.text(field, pem.parse_certificates)
        if certificates is None:
            return None
        if len(certificates) != 1 or not is_authority(certificates[0]):
            self.add_fault(field, "must be one certificate of an authority that may sign certificates and lists")
            return None
        return certificates[0]

    def check_within_issuer(self, validity: ValidityPeriod | None, issuer: x509.Certificate | None, field: str) -> None:
        """See that something ends no later than what signs it."""
        if validity is None or issuer is None:
            return
        last = issuer.not_valid_after_utc
        if validity.ends > last:
            self.add_fault(field, f"is after {last.date()}, the end of its issuer; end sooner or take the next issuer")

    def _parse_value(self, field: str, value: str, read: Callable[[str], Value]) -> Value | None:
        try:
            return read(value)
        except ValueError as error:
            self.add_fault(field, str(error))
        return None
