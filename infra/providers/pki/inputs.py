"""Reads a kind's inputs field by field and gathers what is wrong with them. It must not show a key's text."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeVar

from infra.providers.pki import pem
from infra.providers.pki.signing import Issuer, Span, belongs, signs_certificates
from infra.providers.resource_kind import Failure, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography import x509

    from infra.providers.resource_kind import Props

Value = TypeVar("Value")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DATES = "write a date as 2027-01-31, or a time with offset"


def moment(text: str) -> datetime:
    """Return the aware time of an ISO date (its midnight, UTC) or time. Raises ValueError."""
    try:
        if len(text) == len("2027-01-31"):
            found = date.fromisoformat(text)
            return datetime(found.year, found.month, found.day, tzinfo=UTC)
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; {_DATES}") from None
    if when.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; {_DATES}")
    return when.astimezone(UTC).replace(microsecond=0)


def host(text: str) -> str:
    """Return a DNS name or IP address as it stands in a certificate. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Four numbers are an address that somebody mistyped: no top-level domain is one.
        if len(text) > 253 or not _HOST.fullmatch(text) or text.rpartition(".")[2].isdigit():
            raise ValueError(f"{text!r} is neither a DNS name nor an IP address; name each host in full") from None
    return text.lower()


def common_name(text: str) -> str:
    """Return a name that fits a certificate. Raises ValueError."""
    if not 1 <= len(text) <= 64 or not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r} does not fit a certificate; use 1 to 64 printable characters")
    return text


class Reader:
    """Inputs, read one by one; what is missing or wrong gives None and is remembered in `failures`."""

    def __init__(self, values: Props, known: Iterable[str]) -> None:
        self._values = values
        self.failures: list[Failure] = []
        for name in sorted(set(values) - set(known)):
            self.fail(name, f"is unknown here; use {', '.join(sorted(known))}")

    def fail(self, field: str, reason: str) -> None:
        """Remember that an input cannot be used."""
        self.failures.append(Failure(field, reason))

    def insist(self, value: Value | None) -> Value:
        """Return what was read. Raises ProviderError with everything that was found wrong."""
        if self.failures or value is None:
            raise ProviderError("; ".join(f"{one.field}: {one.reason}" for one in self.failures))
        return value

    def has(self, field: str) -> bool:
        """Tell whether an input is given and not empty."""
        return self._values.get(field) not in (None, "", False)

    def text(self, field: str, read: Callable[[str], Value]) -> Value | None:
        """Return an input that is text, as `read` understands it."""
        value = self._values.get(field)
        if not isinstance(value, str) or not value:
            self.fail(field, "is missing; it must be text")
            return None
        return self._understood(field, value, read)

    def number(self, field: str, least: int) -> int | None:
        """Return a whole number."""
        value = self._values.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fail(field, f"must be a whole number from {least} on")
            return None
        return value

    def texts(self, field: str, read: Callable[[str], Value]) -> list[Value]:
        """Return a list of texts, each as `read` understands it; an absent list is empty."""
        found = self._values.get(field)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            self.fail(field, "must be a list of texts")
            return []
        read_ones = [self._understood(field, one, read) for one in found]
        return [one for one in read_ones if one is not None]

    def maps(self, field: str) -> list[Props]:
        """Return a list of mappings; an absent list is empty."""
        found = self._values.get(field)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.fail(field, "must be a list of mappings")
            return []
        return found

    def span(self, begins: str, ends: str) -> Span | None:
        """Return the time between two inputs."""
        first, last = self.text(begins, moment), self.text(ends, moment)
        if first is None or last is None:
            return None
        if first >= last:
            self.fail(ends, f"is not after {begins}; swap or correct them")
            return None
        return Span(first, last)

    def issuer(self, certificate: str, key: str) -> Issuer | None:
        """Return an authority with its key, which must be a pair."""
        found, secret = self.authority(certificate), self.text(key, pem.private_key)
        if found is None or secret is None:
            return None
        if not belongs(secret, found):
            self.fail(key, f"does not belong to {certificate}; give the key that was made with it")
            return None
        return Issuer(found, secret)

    def authority(self, field: str) -> x509.Certificate | None:
        """Return the one certificate of an authority."""
        found = self.text(field, pem.certificates)
        if found is None:
            return None
        if len(found) != 1 or not signs_certificates(found[0]):
            self.fail(field, "must be one certificate of an authority that may sign certificates and lists")
            return None
        return found[0]

    def within(self, span: Span | None, issuer: x509.Certificate | None, field: str) -> None:
        """See that something ends no later than what signs it."""
        if span is None or issuer is None:
            return
        last = issuer.not_valid_after_utc
        if span.ends > last:
            self.fail(field, f"is after {last.date()}, the end of its issuer; end sooner or take the next issuer")

    def _understood(self, field: str, value: str, read: Callable[[str], Value]) -> Value | None:
        try:
            return read(value)
        except ValueError as error:
            self.fail(field, str(error))
        return None
