"""The kind `RevocationList`: the revoked certificates of one authority. It must not use a list number twice."""

from __future__ import annotations

from typing import Annotated, ClassVar

from cryptography import x509
from pydantic import Field, InstanceOf, PlainValidator

from infra.providers.pki import pem, signing
from infra.providers.pki.signing import Issuer, RevokedEntry
from infra.providers.pki.stateless import (
    AuthorityCertificate,
    Generation,
    SigningKey,
    StateOnlyKind,
    Time,
    check_key,
    check_order,
    parse_time,
    require_sound,
)
from infra.providers.resource_kind import InputFault, InputFaults, KindInputs, Props, read_inputs

_ENTRY_FIELDS = {"serial", "date", "reason"}
_ALLOWED_REASONS = {
    flag.value: flag
    for flag in x509.ReasonFlags
    if flag not in {x509.ReasonFlags.aa_compromise, x509.ReasonFlags.remove_from_crl}
}


def _parse_entry(values: Props) -> RevokedEntry:
    if unknown := set(values) - _ENTRY_FIELDS:
        raise ValueError(f"{', '.join(sorted(unknown))}: unknown here; use serial, date, reason")
    serial, date, reason = (str(values.get(name) or "") for name in ("serial", "date", "reason"))
    flag = _ALLOWED_REASONS.get(reason or "unspecified")
    if flag is None:
        raise ValueError(f"{reason!r} is no reason; use one of {', '.join(sorted(_ALLOWED_REASONS))}")
    return RevokedEntry(pem.parse_serial(serial), parse_time(date), flag)


def _parse_entries(values: object) -> list[RevokedEntry]:
    """Return the revoked certificates. Raises ValueError with everything that is wrong."""
    if not isinstance(values, list) or not all(isinstance(entry, dict) for entry in values):
        raise ValueError("must be a list of mappings")
    entries, reasons = [], []
    for value in values:
        try:
            entries.append(_parse_entry(value))
        except ValueError as error:
            reasons.append(str(error))
    serials = [entry.serial for entry in entries]
    repeated = sorted({serial for serial in serials if serials.count(serial) > 1})
    reasons += [f"{pem.serial_to_hex(serial)} is there twice; keep the earlier date" for serial in repeated]
    if reasons:
        raise ValueError("; ".join(reasons))
    return entries


class RevocationListInputs(KindInputs):
    """The inputs of RevocationListKind; `number` is the least that the list may have."""

    issuer_certificate: AuthorityCertificate
    issuer_key: SigningKey
    revoked: Annotated[list[InstanceOf[RevokedEntry]], PlainValidator(_parse_entries)] = Field(default_factory=list)
    number: Generation | None = None
    this_update: Time
    next_update: Time


class RevocationListKind(StateOnlyKind):
    """Signed again in place on every change; its number only grows."""

    model: ClassVar = RevocationListInputs
    immutable: ClassVar[frozenset[str]] = frozenset()
    secret_outputs: ClassVar[tuple[str, ...]] = ()

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Check that serials, dates and the issuer can be used."""
        del olds
        return dict(news), _read_list_inputs(news)[1]

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Compare the revoked certificates without order and notation."""
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

    def _sign_list(self, values: Props, last: int) -> Props:
        inputs = require_sound(*_read_list_inputs(values))
        number = max(inputs.number or int(inputs.this_update.timestamp()), last + 1)
        validity = signing.ValidityPeriod(inputs.this_update, inputs.next_update)
        issuer = Issuer(inputs.issuer_certificate, inputs.issuer_key)
        crl = signing.sign_revocation_list(issuer, inputs.revoked, number, validity)
        return self.without_signing_key(values) | {"crl": pem.crl_to_pem(crl), "crl_number": number}


def _read_list_inputs(values: Props) -> tuple[RevocationListInputs, InputFaults]:
    inputs, faults = read_inputs(RevocationListInputs, values)
    if not faults.has_any("this_update", "next_update"):
        check_order(inputs.this_update, inputs.next_update, "next_update", faults)
    if not faults.has_any("issuer_certificate", "issuer_key"):
        check_key(inputs.issuer_certificate, inputs.issuer_key, "issuer_key", faults)
    return inputs, faults


def _normal_entries(values: object) -> object:
    try:
        entries = [_parse_entry(entry) for entry in values] if isinstance(values, list) else None
    except (ValueError, AttributeError):
        return values
    return None if entries is None else sorted((entry.serial, entry.date, entry.reason.value) for entry in entries)
