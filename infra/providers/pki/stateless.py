"""What the PKI kinds share: the types of their inputs; what they create is only in the stack's state.

A signing key is an input of every run but is never compared and never stored in the outputs: it may be removed from
the configuration after use, and one copy of it is enough. No fault shows a key's text.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from cryptography import x509
from pydantic import AfterValidator, Field, PlainValidator

from infra.providers.pki import pem
from infra.providers.pki.signing import PrivateKey, is_authority, key_matches
from infra.providers.resource_kind import InputFaults, KindInputs, ProviderError, ResourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import InputFault, Props

Inputs = TypeVar("Inputs", bound=KindInputs)
_DATE_INPUTS = {"not_before", "not_after", "this_update", "next_update"}
_PEM_INPUTS = {"root_certificate", "issuer_certificate", "issuer_chain"}
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
    """Return a DNS name or IP address in a certificate's form. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Four numbers are a mistyped address: no top-level domain is a number.
        if len(text) > 253 or not _HOST_PATTERN.fullmatch(text) or text.rpartition(".")[2].isdigit():
            raise ValueError(f"{text!r} is neither a DNS name nor an IP address; name each host in full") from None
    return text.lower()


def parse_common_name(text: str) -> str:
    """Return a name that fits a certificate. Raises ValueError."""
    if not 1 <= len(text) <= 64 or not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r} does not fit a certificate; use 1 to 64 printable characters")
    return text


def _from_text(parse: Callable[[str], object]) -> PlainValidator:
    """Return the validator of an input that is a text and becomes what `parse` returns."""

    def validate(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("is not a text; write a text")  # noqa: TRY004 - pydantic collects ValueErrors only
        return parse(value)

    return PlainValidator(validate)


def _parse_authority(text: str) -> x509.Certificate:
    certificates = pem.parse_certificates(text)
    if len(certificates) != 1 or not is_authority(certificates[0]):
        raise ValueError("must be one certificate of an authority that may sign certificates and lists")
    return certificates[0]


CommonName = Annotated[str, AfterValidator(parse_common_name)]
HostName = Annotated[str, AfterValidator(parse_host)]
Time = Annotated[datetime, _from_text(parse_time)]
Generation = Annotated[int, Field(ge=1)]
AuthorityCertificate = Annotated[x509.Certificate, _from_text(_parse_authority)]
CertificateChain = Annotated[list[x509.Certificate], _from_text(pem.parse_certificates)]
SigningKey = Annotated[PrivateKey, _from_text(pem.parse_private_key)]


def check_order(begins: datetime, ends: datetime, field: str, faults: InputFaults) -> None:
    """Add a fault to `field`, the end, when it is not after the beginning."""
    if begins >= ends:
        faults.add(field, "is not after the beginning; swap or correct them")


def check_key(certificate: x509.Certificate, key: PrivateKey, field: str, faults: InputFaults) -> None:
    """Add a fault to `field`, the key, when it is not the certificate's."""
    if not key_matches(key, certificate):
        faults.add(field, "does not belong to the certificate; give the key that was made with it")


def check_within_issuer(ends: datetime, issuer: x509.Certificate, faults: InputFaults) -> None:
    """Add a fault to `not_after` when a certificate ends later than its issuer."""
    last = issuer.not_valid_after_utc
    if ends > last:
        faults.add("not_after", f"is after {last.date()}, the end of its issuer; end sooner or take the next issuer")


class StateOnlyKind:
    """The common part of a kind; `inputs` leaves out `signing_key_input`, the key that signs."""

    model: ClassVar[type[KindInputs]]
    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]]
    secret_outputs: ClassVar[tuple[str, ...]] = ("key",)
    delete_first: ClassVar[bool] = False
    signing_key_input: ClassVar[str] = "issuer_key"

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        cls.inputs = frozenset(cls.model.model_fields) - {cls.signing_key_input}
        if "immutable" not in cls.__dict__:
            cls.immutable = cls.inputs

    def without_signing_key(self, values: Props) -> dict[str, object]:
        """Return the inputs that go into the outputs: all but the key that signs."""
        return {name: value for name, value in values.items() if name in self.inputs}

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Compare dates as instants, certificates by content, hosts without order."""
        if name in _DATE_INPUTS:
            return _parse_alike(old, new, parse_time)
        if name in _PEM_INPUTS:
            return _parse_alike(old, new, pem.parse_certificates)
        return name == "hosts" and _normal_hosts(old) == _normal_hosts(new)

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return the state's content; the resource is stored only there."""
        return ResourceState(ident, outputs, self.without_signing_key(outputs))

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Refuse: a certificate is replaced, never changed."""
        del olds, news
        raise ProviderError(f"{ident}: a certificate is never changed; replace it")

    def delete(self, ident: str, outputs: Props) -> None:
        """Do nothing: the resource is only in the state."""


def require_sound(inputs: Inputs, faults: list[InputFault]) -> Inputs:
    """Return the inputs. Raises ProviderError with every fault."""
    if faults:
        raise ProviderError("; ".join(f"{fault.field}: {fault.reason}" for fault in faults))
    return inputs


def _parse_alike(old: object, new: object, parse: Callable[[str], object]) -> bool:
    try:
        return parse(str(old)) == parse(str(new))
    except ValueError:
        return False


def _normal_hosts(values: object) -> object:
    if not isinstance(values, list):
        return values
    try:
        return sorted({parse_host(str(value)) for value in values})
    except ValueError:
        return values
