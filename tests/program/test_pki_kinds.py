"""The PKI kinds by their methods: what they refuse, what makes a new thing, and that no key shows up in an error."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from infra.providers.pki import KINDS, pem, signing
from infra.providers.resource_kind import ProviderError, difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.resource_kind import Props, ResourceKind

AUTHORITY, CERTIFICATE, LIST = (KINDS[name]() for name in ("authority", "certificate", "revocation_list"))
SPAN = signing.ValidityPeriod(datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC))


def offline_root() -> tuple[str, str]:
    key = signing.new_key()
    made = signing.sign_root(signing.CertificateTerms(signing.subject_name("Root"), SPAN, signing.new_serial()), key)
    return pem.certificates_to_pem([made]), pem.key_to_pem(key)


ROOT, ROOT_KEY = offline_root()
DEV: Props = {
    "name": "Motcua vn83 dev", "stage": "dev", "generation": 1,
    "not_before": "2026-01-01", "not_after": "2029-01-01", "self_rooted": True,
}  # fmt: skip
PROD: Props = {**DEV, "stage": "prod", "root_certificate": ROOT, "root_key": ROOT_KEY, "self_rooted": False}


def created(kind: ResourceKind, inputs: Props) -> Props:
    assert kind.check({}, inputs)[1] == []
    ident, outputs = kind.create(inputs)
    assert ident
    return outputs


SIGNER = created(AUTHORITY, PROD)
SERVER: Props = {
    "name": "broker", "use": "server", "hosts": ["mqtt.example", "127.0.0.1"], "generation": 2,
    "not_before": "2026-03-01", "not_after": "2027-03-01", "issuer_certificate": SIGNER["certificate"],
    "issuer_chain": SIGNER["chain"], "issuer_key": SIGNER["key"],
}  # fmt: skip
REVOKED = {"serial": "0A:FF", "date": "2026-11-01", "reason": "keyCompromise"}
LISTING: Props = {
    "issuer_certificate": SIGNER["certificate"], "issuer_key": SIGNER["key"], "revoked": [REVOKED],
    "this_update": "2026-11-01", "next_update": "2027-02-01",
}  # fmt: skip
ALL: Mapping[str, tuple[ResourceKind, Props]] = {
    "authority": (AUTHORITY, PROD), "certificate": (CERTIFICATE, SERVER), "list": (LIST, LISTING),
}  # fmt: skip


def without(values: Props, *names: str) -> Props:
    return {name: value for name, value in values.items() if name not in names}


def refused(kind: ResourceKind, inputs: Props, olds: Props | None = None) -> dict[str, str]:
    return {one.field: one.reason for one in kind.check(olds or {}, inputs)[1]}


def loaded(outputs: Props, name: str = "certificate") -> list[x509.Certificate]:
    return pem.parse_certificates(str(outputs[name]))


def test_a_stages_authority_is_signed_by_the_given_root() -> None:
    (made,), (root,) = loaded(SIGNER), loaded(SIGNER, "root")
    assert str(SIGNER["root"]) == ROOT
    assert loaded(SIGNER, "chain") == [made, root]
    assert signing.is_issued_by(made, root)
    assert signing.key_matches(pem.parse_private_key(str(SIGNER["key"])), made)
    assert SIGNER["serial"] == pem.serial_to_hex(made.serial_number)
    assert made.not_valid_after_utc == datetime(2029, 1, 1, tzinfo=UTC)
    assert "root_key" not in SIGNER, "the root's key is kept nowhere"


def test_dev_makes_a_root_of_its_own_and_forgets_its_key() -> None:
    outputs = created(AUTHORITY, DEV)
    (root,) = loaded(outputs, "root")
    assert signing.is_issued_by(loaded(outputs)[0], root)
    assert not signing.key_matches(pem.parse_private_key(str(outputs["key"])), root)
    assert json.dumps(dict(outputs)).count("PRIVATE KEY-----") == 2, "one key, its beginning and end"


@pytest.mark.parametrize("stage", ["dev", "stage"])
def test_only_prod_needs_a_root_of_the_operator(stage: str) -> None:
    assert refused(AUTHORITY, {**DEV, "stage": stage}) == {}
    assert "motcua ca root" in refused(AUTHORITY, {**DEV, "stage": "prod"})["self_rooted"]
    assert refused(AUTHORITY, without({**DEV, "stage": stage}, "self_rooted")).keys() == {"root_certificate"}
    assert refused(AUTHORITY, {**DEV, "root_certificate": ROOT, "root_key": ROOT_KEY}).keys() == {"root_certificate"}


def test_the_roots_key_is_asked_for_only_when_an_authority_is_made() -> None:
    later = without(PROD, "root_key")
    assert refused(AUTHORITY, later).keys() == {"root_key"}
    assert refused(AUTHORITY, later, PROD) == {}
    assert refused(AUTHORITY, {**later, "generation": 2}, PROD).keys() == {"root_key"}
    assert difference(AUTHORITY, SIGNER, later).changed == set()
    with pytest.raises(ProviderError, match="root_key: is missing"):
        AUTHORITY.create(later)


def test_faults_of_an_authority_are_named_together() -> None:
    wrong = {"name": "", "stage": "test", "generation": 0, "not_before": "2029-01-01", "not_after": "2026-01-01"}
    assert refused(AUTHORITY, {**PROD, **wrong, "extra": 1}).keys() == {
        "name",
        "stage",
        "generation",
        "not_after",
        "extra",
    }
    assert refused(AUTHORITY, {**PROD, "not_after": "2046-01-02"}).keys() == {"not_after"}
    assert refused(AUTHORITY, {**PROD, "root_key": pem.key_to_pem(signing.new_key())}).keys() == {"root_key"}
    assert refused(AUTHORITY, {**PROD, "root_certificate": "x"}).keys() == {"root_certificate"}


def test_a_servers_certificate_brings_its_chain_without_the_root() -> None:
    outputs = created(CERTIFICATE, SERVER)
    leaf, above = loaded(outputs)
    assert above == loaded(SIGNER)[0]
    where = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(one.value) for one in where} == {"mqtt.example", "127.0.0.1"}
    assert signing.key_matches(pem.parse_private_key(str(outputs["key"])), leaf)
    assert "issuer_key" not in outputs, "one copy of the authority's key is enough"


def test_a_service_gets_a_clients_certificate() -> None:
    outputs = created(CERTIFICATE, {**without(SERVER, "hosts"), "use": "client", "name": "motcua-ingest-1"})
    assert signing.certificate_use(loaded(outputs)[0]) == "client"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"hosts": []}, "hosts", "name every DNS name"),
        ({"hosts": ["*.example"]}, "hosts", "neither a DNS name"),
        ({"use": "client", "name": "motcua-rollup"}, "hosts", "leave it out"),
        ({"use": "client", "name": "vn83-28756-kiosk1", "hosts": []}, "name", "motcua ca sign"),
        ({"use": "both"}, "use", "server or client"),
        ({"not_after": "2029-01-02"}, "not_after", "end sooner"),
        ({"not_after": "2026-03-01"}, "not_after", "is not after"),
        ({"not_before": "March"}, "not_before", "write a date"),
        ({"generation": 1.5}, "generation", "whole number"),
        ({"issuer_chain": ROOT}, "issuer_chain", "followed by"),
        ({"issuer_certificate": created(CERTIFICATE, SERVER)["certificate"]}, "issuer_certificate", "authority"),
    ],
)
def test_what_fits_no_certificate_is_refused(change: Props, field: str, said: str) -> None:
    assert said in refused(CERTIFICATE, {**SERVER, **change})[field]


def test_an_issuer_that_is_not_known_yet_does_not_hide_other_faults() -> None:
    """In a preview the skin leaves unknown inputs out and drops what is said about them."""
    early = without({**SERVER, "hosts": []}, "issuer_certificate", "issuer_chain", "issuer_key")
    assert refused(CERTIFICATE, early).keys() == {"hosts", "issuer_certificate", "issuer_chain", "issuer_key"}


@pytest.mark.parametrize("name", ALL)
def test_the_same_inputs_are_no_difference(name: str) -> None:
    kind, inputs = ALL[name]
    outputs = created(kind, inputs)
    assert difference(kind, outputs, inputs).changed == set()
    assert kind.inputs <= {*outputs, "self_rooted", "number"}
    found = kind.read("x", outputs)
    assert found is not None
    assert (found.id, found.outputs) == ("x", outputs)
    assert found.inputs == without(inputs, "root_key", "issuer_key")
    kind.delete("x", outputs)


@pytest.mark.parametrize(
    ("name", "change"),
    [("authority", {"not_after": "2029-01-01T07:00:00+07:00"}), ("authority", {"root_key": "another"}),
     ("authority", {"root_certificate": ROOT.replace("\n", "\r\n") + "\n"}), ("certificate", {"issuer_key": "another"}),
     ("certificate", {"hosts": ["127.0.0.1", "MQTT.example"]}), ("list", {"issuer_key": "another"}),
     ("list", {"revoked": [{"reason": "keyCompromise", "date": "2026-11-01T00:00:00Z", "serial": "aff"}]})],
)  # fmt: skip
def test_another_way_of_writing_is_no_difference(name: str, change: Props) -> None:
    kind, inputs = ALL[name]
    assert difference(kind, created(kind, inputs), {**inputs, **change}).changed == set()


@pytest.mark.parametrize(
    ("name", "change"),
    [("authority", {"generation": 2}), ("authority", {"name": "b"}), ("authority", {"stage": "stage"}),
     ("authority", {"not_after": "2029-01-02"}), ("authority", {"root_certificate": offline_root()[0]}),
     ("certificate", {"generation": 3}), ("certificate", {"hosts": ["mqtt.example"]}),
     ("certificate", {"issuer_certificate": ROOT}), ("certificate", {"not_before": "2026-03-02"})],
)  # fmt: skip
def test_another_certificate_is_a_new_one_before_the_old_one_goes(name: str, change: Props) -> None:
    kind, inputs = ALL[name]
    found = difference(kind, created(kind, inputs), {**inputs, **change})
    assert found.changed == found.replaces == set(change)
    assert not found.delete_first


def test_a_list_is_signed_again_in_place_with_a_higher_number() -> None:
    first = created(LIST, LISTING)
    more = {**LISTING, "revoked": [{"serial": "0b", "date": "2026-11-02"}, REVOKED]}
    assert difference(LIST, first, more).replaces == set()
    second = LIST.update("x", first, more)
    third = LIST.update("x", second, {**more, "number": 7})
    lists = [x509.load_pem_x509_crl(str(one["crl"]).encode()) for one in (first, second, third)]
    numbers = [one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for one in lists]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert numbers == [one["crl_number"] for one in (first, second, third)]
    assert [[one.serial_number for one in found] for found in lists] == [[0xAFF], [0xB, 0xAFF], [0xB, 0xAFF]]
    assert LIST.create({**LISTING, "number": 7})[1]["crl_number"] == 7


def test_two_keys_of_one_list_keep_their_order() -> None:
    two = [REVOKED, {"serial": "b", "date": "2026-11-02"}]
    outputs = created(LIST, {**LISTING, "revoked": two})
    assert difference(LIST, outputs, {**LISTING, "revoked": two[::-1]}).changed == set()
    assert difference(LIST, outputs, {**LISTING, "revoked": two[:1]}).changed == {"revoked"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [({"serial": "x", "date": "2026-11-01"}, "is no serial"), ({"serial": "1"}, "no date"),
     ({"serial": "1", "date": "2026-11-01", "reason": "lost"}, "use one of"),
     ({"serial": "1", "date": "2026-11-01", "note": "x"}, "unknown here"), ({**REVOKED, "serial": "aff"}, "twice")],
)  # fmt: skip
def test_what_cannot_be_revoked_is_refused(entry: Props, said: str) -> None:
    assert said in refused(LIST, {**LISTING, "revoked": [REVOKED, entry]})["revoked"]


@pytest.mark.parametrize("name", ALL)
def test_no_key_shows_up_in_an_error(name: str) -> None:
    kind, inputs = ALL[name]
    field = "root_key" if name == "authority" else "issuer_key"
    planted = str(inputs[field])
    broken = (planted.replace("PRIVATE", "SECRET"), planted[:-60], planted.splitlines()[1], ROOT_KEY[::-1])
    for secret in broken:
        said = json.dumps([repr(one) for one in kind.check({}, {**inputs, field: secret})[1]])
        with pytest.raises(ProviderError) as caught:
            kind.create({**inputs, field: secret})
        told = said + str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
        assert field in said
        lines = {line for line in (*secret.splitlines(), *planted.splitlines()) if "KEY" not in line and len(line) > 8}
        assert lines
        assert not any(line in told for line in lines)


def test_a_certificate_is_never_updated() -> None:
    with pytest.raises(ProviderError, match="replace it"):
        CERTIFICATE.update("x", SERVER, SERVER)


def test_four_threads_make_different_certificates() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: CERTIFICATE.create(SERVER)[1]["serial"], range(16)))
    assert len(set(made)) == 16
