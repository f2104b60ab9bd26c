"""The kind `ServerCertificate`: a server's, or a service's as client. It must not make one for a device.

A device makes its own key, which never leaves it; `motcua ca sign` signs its request.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from infra.providers.pki import csr, pem, signing
from infra.providers.pki.inputs import parse_common_name, parse_host
from infra.providers.pki.signing import CertificateTerms, new_key, new_serial, subject_name
from infra.providers.pki.stateless import StateOnlyKind

if TYPE_CHECKING:
    from cryptography import x509

    from infra.providers.pki.inputs import InputReader
    from infra.providers.pki.signing import Issuer, ValidityPeriod
    from infra.providers.resource_kind import InputFault, Props


@dataclass(frozen=True, slots=True)
class _CertificateInputs:
    """What is to be made, and what signs it."""

    name: str
    use: Literal["server", "client"]
    hosts: list[str]
    validity: ValidityPeriod
    issuer: Issuer
    issuer_chain: list[x509.Certificate]


class CertificateKind(StateOnlyKind):
    """A certificate with its key; another generation, host or issuer is another certificate."""

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"name", "hosts", "use", "generation", "not_before", "not_after", "issuer_certificate", "issuer_chain"}
    )
    immutable: ClassVar[frozenset[str]] = inputs
    secret_outputs: ClassVar[tuple[str, ...]] = ("key",)
    delete_first: ClassVar[bool] = False
    signing_key_input: ClassVar[str] = "issuer_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """See that names, hosts and dates fit the use and the issuer."""
        del olds
        reader = self.input_reader(news)
        _read_certificate_inputs(reader)
        return dict(news), reader.faults

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make a key and its certificate."""
        reader = self.input_reader(inputs)
        read_inputs = reader.require(_read_certificate_inputs(reader))
        outputs = self.without_signing_key(inputs) | _issue_certificate(read_inputs)
        return str(outputs["serial"]), outputs


def _read_certificate_inputs(reader: InputReader) -> _CertificateInputs | None:
    name, use = reader.text("name", parse_common_name), reader.text("use", _parse_use)
    reader.number("generation", 1)
    validity = reader.validity("not_before", "not_after")
    hosts = reader.texts("hosts", parse_host)
    _check_use(reader, name, use, hosts)
    issuer = reader.issuer("issuer_certificate", "issuer_key")
    issuer_chain = _read_issuer_chain(reader, issuer)
    reader.check_within_issuer(validity, issuer.certificate if issuer else None, "not_after")
    if name is None or use is None or validity is None or issuer is None or issuer_chain is None:
        return None
    return _CertificateInputs(name, use, hosts, validity, issuer, issuer_chain)


def _parse_use(text: str) -> Literal["server", "client"]:
    if text not in {"server", "client"}:
        raise ValueError(f"{text!r} is no use; write server or client")
    return cast("Literal['server', 'client']", text)


def _check_use(reader: InputReader, name: str | None, use: str | None, hosts: list[str]) -> None:
    """See that a server has hosts, and that a client is a service."""
    if use == "server" and not hosts and not any(fault.field == "hosts" for fault in reader.faults):
        reader.add_fault("hosts", "is empty; name every DNS name and IP address by which clients reach the server")
    if use == "client" and hosts:
        reader.add_fault("hosts", "is for servers; leave it out")
    if use == "client" and name is not None and not csr.is_service(name):
        remedy = "a device makes its own key, and `motcua ca sign` signs its request"
        reader.add_fault("name", f"{name!r} is no service ({csr.SERVICE_NAMES}); {remedy}")


def _read_issuer_chain(reader: InputReader, issuer: Issuer | None) -> list[x509.Certificate] | None:
    """Read the chain from the issuer up."""
    chain = reader.text("issuer_chain", pem.parse_certificates)
    if chain is None or issuer is None:
        return chain
    if chain[0] != issuer.certificate or not all(
        signing.is_issued_by(lower, upper) for lower, upper in pairwise(chain)
    ):
        reader.add_fault("issuer_chain", "is not the issuer followed by what signed it; give the authority's chain")
        return None
    return chain


def _issue_certificate(inputs: _CertificateInputs) -> dict[str, object]:
    key = new_key()
    terms = CertificateTerms(subject_name(inputs.name), inputs.validity, new_serial())
    certificate = signing.sign_leaf(terms, key.public_key(), inputs.issuer, inputs.use, inputs.hosts)
    return {
        "certificate": pem.certificates_to_pem(signing.chain_without_roots(certificate, inputs.issuer_chain)),
        "key": pem.key_to_pem(key),
        "serial": pem.serial_to_hex(certificate.serial_number),
        "fingerprint": pem.fingerprint(certificate),
    }
