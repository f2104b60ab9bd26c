"""The kind `Authority`: a stage's intermediate. It must not store a root's key, neither its own nor a given one."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from infra.config.options import STAGES_WITH_OWN_ROOT
from infra.providers.pki import pem, signing
from infra.providers.pki.signing import CertificateTerms, Issuer, ValidityPeriod, new_key, new_serial, subject_name
from infra.providers.pki.stateless import (
    AuthorityCertificate,
    CommonName,
    Generation,
    SigningKey,
    StateOnlyKind,
    Time,
    check_key,
    check_order,
    check_within_issuer,
    require_sound,
)
from infra.providers.resource_kind import InputFault, InputFaults, KindInputs, Props, difference, read_inputs


class AuthorityInputs(KindInputs):
    """The inputs of AuthorityKind; without a root one is created for it, where the stage allows that."""

    name: CommonName
    stage: Literal["dev", "stage", "prod"]
    generation: Generation
    not_before: Time
    not_after: Time
    root_certificate: AuthorityCertificate | None = None
    root_key: SigningKey | None = None
    self_rooted: bool = False


class AuthorityKind(StateOnlyKind):
    """Signs the stage's certificates and lists; a new generation is a new authority, and the old one is removed later.

    `root_key` is needed only in the run that creates or replaces it.
    """

    model: ClassVar = AuthorityInputs
    signing_key_input: ClassVar = "root_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Check that there is a root to sign with, or that this stage may create its own."""
        creates = not olds or bool(difference(self, olds, news).replaces)
        return dict(news), _read_authority_inputs(news, creates=creates)[1]

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create a key and its certificate; a root created here signs once and its key is discarded."""
        wanted = require_sound(*_read_authority_inputs(inputs, creates=True))
        outputs = self.without_signing_key(inputs) | _issue_authority(wanted)
        return str(outputs["serial"]), outputs


def _read_authority_inputs(values: Props, *, creates: bool) -> tuple[AuthorityInputs, InputFaults]:
    has_root, self_rooted = bool(values.get("root_certificate")), bool(values.get("self_rooted"))
    needs_key = creates and has_root and not self_rooted
    # The key is read only in the run that signs with it.
    inputs, faults = read_inputs(
        AuthorityInputs, {name: value for name, value in values.items() if name != "root_key" or needs_key}
    )
    if not faults.has_any("not_before", "not_after"):
        check_order(inputs.not_before, inputs.not_after, "not_after", faults)
    if self_rooted and inputs.stage in STAGES_WITH_OWN_ROOT:
        reason = f"is not for stage {inputs.stage}; make a root with `motcua ca root`"
        faults.add("self_rooted", reason)
    if has_root == self_rooted:
        reason = "give a root made with `motcua ca root`, or self_rooted where the stage allows it, not both"
        faults.add("root_certificate", reason)
    if not has_root or self_rooted:
        return inputs, faults
    root = inputs.root_certificate
    if root is not None and not faults.has_any("not_before", "not_after"):
        check_within_issuer(inputs.not_after, root, faults)
    if needs_key and not values.get("root_key"):
        command = "pulumi config set --secret rootKey <root.key"
        faults.add("root_key", f"is missing; a new intermediate needs it for this one run: {command}")
    elif root is not None and inputs.root_key is not None:
        check_key(root, inputs.root_key, "root_key", faults)
    return inputs, faults


def _issue_authority(inputs: AuthorityInputs) -> dict[str, object]:
    key, validity = new_key(), ValidityPeriod(inputs.not_before, inputs.not_after)
    terms = CertificateTerms(subject_name(inputs.name, inputs.generation), validity, new_serial())
    if inputs.root_certificate is not None and inputs.root_key is not None:
        issuer = Issuer(inputs.root_certificate, inputs.root_key)
    else:
        root_key, root_name = new_key(), subject_name(f"{inputs.name} root"[:64], inputs.generation)
        root_terms = replace(terms, subject=root_name, serial=new_serial())
        issuer = Issuer(signing.sign_root(root_terms, root_key), root_key)
    certificate = signing.sign_intermediate(terms, key.public_key(), issuer)
    return {
        "certificate": pem.certificates_to_pem([certificate]),
        "chain": pem.certificates_to_pem([certificate, issuer.certificate]),
        "root": pem.certificates_to_pem([issuer.certificate]),
        "key": pem.key_to_pem(key),
        "serial": pem.serial_to_hex(certificate.serial_number),
        "fingerprint": pem.fingerprint(certificate),
    }
