"""The kind `Authority`: a stage's intermediate. It must not keep a root's key, its own or a given one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from infra.providers.pki import pem, signing
from infra.providers.pki.inputs import parse_common_name
from infra.providers.pki.signing import CertificateTerms, Issuer, new_key, new_serial, subject_name
from infra.providers.pki.stateless import StateOnlyKind
from infra.providers.resource_kind import difference

if TYPE_CHECKING:
    from infra.providers.pki.inputs import InputReader
    from infra.providers.pki.signing import ValidityPeriod
    from infra.providers.resource_kind import InputFault, Props

STAGES = ("dev", "stage", "prod")


@dataclass(frozen=True, slots=True)
class _AuthorityInputs:
    """What is to be made; without a root one is made for it."""

    name: str
    generation: int
    validity: ValidityPeriod
    root: Issuer | None


class AuthorityKind(StateOnlyKind):
    """Signs the stage's certificates and lists; a new generation is a new authority, and the old one goes later.

    `root_key` is needed only in the run that makes or replaces it.
    """

    inputs: ClassVar[frozenset[str]] = frozenset(
        {"name", "stage", "generation", "not_before", "not_after", "root_certificate", "self_rooted"}
    )
    immutable: ClassVar[frozenset[str]] = inputs
    secret_outputs: ClassVar[tuple[str, ...]] = ("key",)
    delete_first: ClassVar[bool] = False
    signing_key_input: ClassVar[str] = "root_key"

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """See that there is a root to sign with, or that this stage may make its own."""
        reader = self.input_reader(news)
        makes = not olds or bool(difference(self, olds, news).replaces)
        _read_authority_inputs(reader, makes=makes)
        return dict(news), reader.faults

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make a key and its certificate; a root made here signs once and its key is forgotten."""
        reader = self.input_reader(inputs)
        read_inputs = reader.require(_read_authority_inputs(reader, makes=True))
        outputs = self.without_signing_key(inputs) | _issue_authority(read_inputs)
        return str(outputs["serial"]), outputs


def _read_authority_inputs(reader: InputReader, *, makes: bool) -> _AuthorityInputs | None:
    name = reader.text("name", parse_common_name)
    generation = reader.number("generation", 1)
    validity = reader.validity("not_before", "not_after")
    stage = reader.text("stage", _parse_stage)
    root = _read_root(reader, validity, stage, makes=makes)
    if name is None or generation is None or validity is None:
        return None
    return _AuthorityInputs(name, generation, validity, root)


def _parse_stage(text: str) -> str:
    if text not in STAGES:
        raise ValueError(f"{text!r} is no stage; use one of {', '.join(STAGES)}")
    return text


def _read_root(
    reader: InputReader, validity: ValidityPeriod | None, stage: str | None, *, makes: bool
) -> Issuer | None:
    """Read the given root and its key; None when a root is to be made."""
    has_root, self_rooted = reader.is_given("root_certificate"), reader.is_given("self_rooted")
    if self_rooted and stage not in {"dev", None}:
        reader.add_fault("self_rooted", f"is for stage dev only, this is {stage}; make a root with `motcua ca root`")
    if has_root == self_rooted:
        reader.add_fault(
            "root_certificate", "give a root made with `motcua ca root`, or self_rooted in stage dev, not both"
        )
    if not has_root or self_rooted:
        return None
    reader.check_within_issuer(validity, reader.authority("root_certificate"), "not_after")
    if not makes:
        return None
    if not reader.is_given("root_key"):
        command = "pulumi config set --secret rootKey <root.key"
        reader.add_fault("root_key", f"is missing; a new intermediate needs it for this one run: {command}")
        return None
    return _read_root_pair(reader)


def _read_root_pair(reader: InputReader) -> Issuer | None:
    earlier_faults = len(reader.faults)
    issuer = reader.issuer("root_certificate", "root_key")
    # The certificate was read once already: say each fault once.
    reader.faults[earlier_faults:] = [
        fault for fault in reader.faults[earlier_faults:] if fault.field != "root_certificate"
    ]
    return issuer


def _issue_authority(inputs: _AuthorityInputs) -> dict[str, object]:
    key = new_key()
    issuer = inputs.root or _temporary_root(inputs)
    terms = CertificateTerms(subject_name(inputs.name, inputs.generation), inputs.validity, new_serial())
    certificate = signing.sign_intermediate(terms, key.public_key(), issuer)
    return {
        "certificate": pem.certificates_to_pem([certificate]),
        "chain": pem.certificates_to_pem([certificate, issuer.certificate]),
        "root": pem.certificates_to_pem([issuer.certificate]),
        "key": pem.key_to_pem(key),
        "serial": pem.serial_to_hex(certificate.serial_number),
        "fingerprint": pem.fingerprint(certificate),
    }


def _temporary_root(inputs: _AuthorityInputs) -> Issuer:
    key = new_key()
    terms = CertificateTerms(subject_name(f"{inputs.name} root"[:64], inputs.generation), inputs.validity, new_serial())
    return Issuer(signing.sign_root(replace(terms), key), key)
