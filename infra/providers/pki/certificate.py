"""The kind `Certificate`: a server's, or a service's as client. It must not create one for a device.

A device creates its own key, which remains on it; `motcua ca sign` signs its request.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field

from infra.providers.pki import csr, pem, signing
from infra.providers.pki.signing import CertificateTerms, Issuer, ValidityPeriod, new_key, new_serial, subject_name
from infra.providers.pki.stateless import (
    AuthorityCertificate,
    CertificateChain,
    CommonName,
    Generation,
    HostName,
    SigningKey,
    StateOnlyKind,
    Time,
    check_key,
    check_order,
    check_within_issuer,
    require_sound,
)
from infra.providers.resource_kind import InputFault, InputFaults, KindInputs, Props, read_inputs


class CertificateInputs(KindInputs):
    """The inputs of CertificateKind; `hosts` are a server's, the chain begins with the issuer."""

    name: CommonName
    use: Literal["server", "client"]
    hosts: list[HostName] = Field(default_factory=list)
    generation: Generation
    not_before: Time
    not_after: Time
    issuer_certificate: AuthorityCertificate
    issuer_chain: CertificateChain
    issuer_key: SigningKey


class CertificateKind(StateOnlyKind):
    """A certificate with its key; another generation, host or issuer is another certificate."""

    model: ClassVar = CertificateInputs

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Check that names, hosts and dates fit the use and the issuer."""
        del olds
        return dict(news), _read_certificate_inputs(news)[1]

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create a key and its certificate."""
        wanted = require_sound(*_read_certificate_inputs(inputs))
        key, validity = new_key(), ValidityPeriod(wanted.not_before, wanted.not_after)
        terms = CertificateTerms(subject_name(wanted.name), validity, new_serial())
        issuer = Issuer(wanted.issuer_certificate, wanted.issuer_key)
        certificate = signing.sign_leaf(terms, key.public_key(), issuer, wanted.use, wanted.hosts)
        serial = pem.serial_to_hex(certificate.serial_number)
        return serial, {
            **self.without_signing_key(inputs),
            "certificate": pem.certificates_to_pem(signing.chain_without_roots(certificate, wanted.issuer_chain)),
            "key": pem.key_to_pem(key),
            "serial": serial,
            "fingerprint": pem.fingerprint(certificate),
        }


def _read_certificate_inputs(values: Props) -> tuple[CertificateInputs, InputFaults]:
    inputs, faults = read_inputs(CertificateInputs, values)
    if inputs.use == "server" and not inputs.hosts and not faults.has_any("hosts"):
        faults.add("hosts", "is empty; name every DNS name and IP address by which clients reach the server")
    if inputs.use == "client" and inputs.hosts:
        faults.add("hosts", "is for servers; leave it out")
    if inputs.use == "client" and not faults.has_any("name") and not csr.is_service(inputs.name):
        remedy = "a device makes its own key, and `motcua ca sign` signs its request"
        faults.add("name", f"{inputs.name!r} is no service ({csr.SERVICE_NAMES}); {remedy}")
    if not faults.has_any("not_before", "not_after"):
        check_order(inputs.not_before, inputs.not_after, "not_after", faults)
    if not faults.has_any("issuer_certificate"):
        _check_issuer(inputs, faults)
    return inputs, faults


def _check_issuer(inputs: CertificateInputs, faults: InputFaults) -> None:
    """Add a fault when the certificate outlives its issuer, or key or chain are not the issuer's."""
    issuer = inputs.issuer_certificate
    if not faults.has_any("not_before", "not_after"):
        check_within_issuer(inputs.not_after, issuer, faults)
    if not faults.has_any("issuer_key"):
        check_key(issuer, inputs.issuer_key, "issuer_key", faults)
    if not faults.has_any("issuer_chain"):
        chain = inputs.issuer_chain
        if chain[0] != issuer or not all(signing.is_issued_by(lower, upper) for lower, upper in pairwise(chain)):
            reason = "is not the issuer followed by what signed it; give the authority's chain"
            faults.add("issuer_chain", reason)
