"""The kind `RevocationList`: the certificates of one authority that count no more. It must not use a number twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cryptography import x509

from infra.providers.pki import pem, signing
from infra.providers.pki.inputs import parse_time
from infra.providers.pki.signing import RevokedEntry
from infra.providers.pki.stateless import StateOnlyKind

if TYPE_CHECKING:
    from infra.providers.pki.inputs import InputReader
    from infra.providers.pki.signing import Issuer, ValidityPeriod
    from infra.providers.resource_kind import InputFault, Props

_ENTRY_FIELDS = {"serial", "date", "reason"}
_ALLOWED_REASONS = {
    flag.value: flag
    for flag in x509.ReasonFlags
    if flag not in {x509.ReasonFlags.aa_compromise, x509.ReasonFlags.remove_from_crl}
}


@dataclass(frozen=True, slots=True)
class _CrlInputs:
    """What is to be signed; the number is the least it may have."""

    issuer: Issuer
    revoked: list[RevokedEntry]
    number: int
    validity: ValidityPeriod


class RevocationListKind(StateOnlyKind):
    """Signed again in place on every change; its number only grows."""

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"issuer_certificate", "revoked", "number", "this_update", "next_update"}
    )
    immutable: ClassVar[frozenset[str]] = frozenset()
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False
    signing_key_input: ClassVar[str] = "issuer_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """See that serials, dates and the issuer can be used."""
        del olds
        reader = self.input_reader(news)
        _read_crl_inputs(reader)
        return dict(news), reader.faults

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Compare the revoked without order and manner of writing."""
        if name == "revoked":
            return _normal_entries(old) == _normal_entries(new)
        return super().is_equivalent(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Sign the first list."""
        outputs = self._sign_list(inputs, 0)
        issuer = pem.parse_certificates(str(inputs["issuer_certificate"]))[0]
        return pem.serial_to_hex(issuer.serial_number), outputs

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Sign the next list."""
        del ident
        last = olds.get("crl_number")
        return self._sign_list(news, last if isinstance(last, int) else 0)

    def _sign_list(self, inputs: Props, last: int) -> Props:
        reader = self.input_reader(inputs)
        read_inputs = reader.require(_read_crl_inputs(reader))
        number = max(read_inputs.number, last + 1)
        crl = signing.sign_revocation_list(read_inputs.issuer, read_inputs.revoked, number, read_inputs.validity)
        return self.without_signing_key(inputs) | {"crl": pem.crl_to_pem(crl), "crl_number": number}


def _read_crl_inputs(reader: InputReader) -> _CrlInputs | None:
    issuer = reader.issuer("issuer_certificate", "issuer_key")
    validity = reader.validity("this_update", "next_update")
    number = reader.number("number", 1) if reader.is_given("number") else None
    revoked = [
        entry for entry in (_read_entry(reader, values) for values in reader.maps("revoked")) if entry is not None
    ]
    _refuse_duplicates(reader, revoked)
    if issuer is None or validity is None:
        return None
    return _CrlInputs(issuer, revoked, number or int(validity.begins.timestamp()), validity)


def _read_entry(reader: InputReader, values: Props) -> RevokedEntry | None:
    if unknown := set(values) - _ENTRY_FIELDS:
        reader.add_fault("revoked", f"{', '.join(sorted(unknown))}: unknown here; use serial, date, reason")
        return None
    try:
        return _parse_entry(values)
    except ValueError as error:
        reader.add_fault("revoked", str(error))
    return None


def _parse_entry(values: Props) -> RevokedEntry:
    serial, date, reason = (str(values.get(name) or "") for name in ("serial", "date", "reason"))
    flag = _ALLOWED_REASONS.get(reason or "unspecified")
    if flag is None:
        raise ValueError(f"{reason!r} is no reason; use one of {', '.join(sorted(_ALLOWED_REASONS))}")
    return RevokedEntry(pem.parse_serial(serial), parse_time(date), flag)


def _refuse_duplicates(reader: InputReader, revoked: list[RevokedEntry]) -> None:
    serials = [entry.serial for entry in revoked]
    for serial in sorted({entry for entry in serials if serials.count(entry) > 1}):
        reader.add_fault("revoked", f"{pem.serial_to_hex(serial)} is there twice; keep the earlier date")


def _normal_entries(values: object) -> object:
    try:
        entries = [_parse_entry(entry) for entry in values] if isinstance(values, list) else None
    except (ValueError, AttributeError):
        return values
    return None if entries is None else sorted((entry.serial, entry.date, entry.reason.value) for entry in entries)
