"""The kind `RevocationList`: the certificates of one authority that count no more. It must not use a number twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cryptography import x509

from infra.providers.pki import pem, signing
from infra.providers.pki.inputs import moment
from infra.providers.pki.signing import Revoked
from infra.providers.pki.stateless import Kept

if TYPE_CHECKING:
    from infra.providers.pki.inputs import Reader
    from infra.providers.pki.signing import Issuer, Span
    from infra.providers.resource_kind import Failure, Props

_FIELDS = {"serial", "date", "reason"}
_REASONS = {
    one.value: one
    for one in x509.ReasonFlags
    if one not in {x509.ReasonFlags.aa_compromise, x509.ReasonFlags.remove_from_crl}
}


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be signed; the number is the least it may have."""

    issuer: Issuer
    revoked: list[Revoked]
    number: int
    span: Span


class RevocationList(Kept):
    """Signed again in place on every change; its number only grows."""

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"issuer_certificate", "revoked", "number", "this_update", "next_update"}
    )
    fixed: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False
    signer: ClassVar[str] = "issuer_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[Failure]]:
        """See that serials, dates and the issuer can be used."""
        del olds
        reader = self.reader(news)
        _order(reader)
        return dict(news), reader.failures

    def same(self, name: str, old: object, new: object) -> bool:
        """Compare the revoked without order and manner of writing."""
        if name == "revoked":
            return _normal(old) == _normal(new)
        return super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Sign the first list."""
        outputs = self._signed(inputs, 0)
        issuer = pem.certificates(str(inputs["issuer_certificate"]))[0]
        return pem.hexadecimal(issuer.serial_number), outputs

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Sign the next list."""
        del ident
        last = olds.get("crl_number")
        return self._signed(news, last if isinstance(last, int) else 0)

    def _signed(self, inputs: Props, last: int) -> Props:
        reader = self.reader(inputs)
        order = reader.insist(_order(reader))
        number = max(order.number, last + 1)
        made = signing.revocation_list(order.issuer, order.revoked, number, order.span)
        return self.kept(inputs) | {"crl": pem.written_list(made), "crl_number": number}


def _order(reader: Reader) -> _Order | None:
    issuer = reader.issuer("issuer_certificate", "issuer_key")
    span = reader.span("this_update", "next_update")
    number = reader.number("number", 1) if reader.has("number") else None
    revoked = [one for one in (_revoked(reader, values) for values in reader.maps("revoked")) if one is not None]
    _refuse_twice(reader, revoked)
    if issuer is None or span is None:
        return None
    return _Order(issuer, revoked, number or int(span.begins.timestamp()), span)


def _revoked(reader: Reader, values: Props) -> Revoked | None:
    if unknown := set(values) - _FIELDS:
        reader.fail("revoked", f"{', '.join(sorted(unknown))}: unknown here; use serial, date, reason")
        return None
    try:
        return _entry(values)
    except ValueError as error:
        reader.fail("revoked", str(error))
    return None


def _entry(values: Props) -> Revoked:
    serial, date, reason = (str(values.get(name) or "") for name in ("serial", "date", "reason"))
    found = _REASONS.get(reason or "unspecified")
    if found is None:
        raise ValueError(f"{reason!r} is no reason; use one of {', '.join(sorted(_REASONS))}")
    return Revoked(pem.number_of(serial), moment(date), found)


def _refuse_twice(reader: Reader, revoked: list[Revoked]) -> None:
    serials = [one.serial for one in revoked]
    for serial in sorted({one for one in serials if serials.count(one) > 1}):
        reader.fail("revoked", f"{pem.hexadecimal(serial)} is there twice; keep the earlier date")


def _normal(values: object) -> object:
    try:
        entries = [_entry(one) for one in values] if isinstance(values, list) else None
    except (ValueError, AttributeError):
        return values
    return None if entries is None else sorted((one.serial, one.date, one.reason.value) for one in entries)
