"""What certificates say about themselves, which requests are refused, and what revocation lists hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, strategies as st

from infra.plan.broker import INGEST_NAME_FORMAT, MONITOR_NAME, PROVISION_NAME, ROLLUP_NAME
from infra.providers.pki import csr, pem, signing
from infra.providers.pki.csr import RequestRefused
from infra.providers.pki.signing import CertificateTerms, Issuer, RevokedEntry, ValidityPeriod, new_key, subject_name
from infra.providers.pki.stateless import parse_host, parse_time

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
YEARS = ValidityPeriod(NOW - timedelta(days=1), NOW + timedelta(days=2000))
DEVICE = "vn83-28756-kiosk1"


def terms(name: str, span: ValidityPeriod = YEARS) -> CertificateTerms:
    return CertificateTerms(subject_name(name), span, signing.new_serial())


@pytest.fixture(scope="module")
def root() -> Issuer:
    key = new_key()
    return Issuer(signing.sign_root(terms("Root"), key), key)


@pytest.fixture(scope="module")
def stage(root: Issuer) -> Issuer:
    key = new_key()
    return Issuer(signing.sign_intermediate(terms("Stage"), key.public_key(), root), key)


def signer(stage: Issuer, root: Issuer) -> csr.SigningAuthority:
    return csr.load_signing_authority(
        pem.certificates_to_pem([stage.certificate, root.certificate]), pem.key_to_pem(stage.key)
    )


def request(*names: str, key: signing.PrivateKey | None = None, where: str = "") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if where:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(where)]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return pem.request_to_pem(builder.sign(key or new_key(), hashes.SHA256()))


def basic(certificate: x509.Certificate) -> tuple[bool, int | None]:
    found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert found.critical
    return found.value.ca, found.value.path_length


def usage(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert found.critical
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return {name for name in (*every, "key_cert_sign", "crl_sign") if getattr(found.value, name)}


def test_an_authority_may_sign_and_nothing_else(root: Issuer, stage: Issuer) -> None:
    assert [basic(one.certificate) for one in (root, stage)] == [(True, 1), (True, 0)]
    assert usage(root.certificate) == usage(stage.certificate) == {"key_cert_sign", "crl_sign"}
    assert signing.is_self_signed(root.certificate)
    assert not signing.is_self_signed(stage.certificate)
    assert signing.is_issued_by(stage.certificate, root.certificate)
    assert not signing.is_issued_by(root.certificate, stage.certificate)


@pytest.mark.parametrize(
    ("use", "purpose"), [("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)]
)
def test_a_leaf_has_one_purpose(stage: Issuer, use: signing.LeafUse, purpose: x509.ObjectIdentifier) -> None:
    hosts = ("mqtt.example", "10.0.0.1", "::1") if use == "server" else ()
    made = signing.sign_leaf(terms("one"), new_key().public_key(), stage, use, hosts)
    assert basic(made) == (False, None)
    assert usage(made) == {"digital_signature"}
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose]
    assert signing.certificate_use(made) == use
    known = {extension.oid for extension in made.extensions}
    assert (x509.SubjectAlternativeName.oid in known) is bool(hosts)
    if hosts:
        where = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(one.value) for one in where] == list(hosts)


def test_serials_are_random_and_long() -> None:
    found = {signing.new_serial() for _ in range(64)}
    assert len(found) == 64
    assert max(found).bit_length() > 128


def test_a_signed_request_keeps_name_and_key_alone(root: Issuer, stage: Issuer) -> None:
    key = new_key()
    asked = csr.parse_request(request(DEVICE, key=key, where="mqtt.example"))
    made = csr.sign_request(asked, signer(stage, root), NOW).certificate
    assert made.public_key() == key.public_key()
    assert made.subject == subject_name(DEVICE)
    assert basic(made) == (False, None)
    assert x509.SubjectAlternativeName.oid not in {extension.oid for extension in made.extensions}


def test_what_is_handed_out_ends_below_the_root(root: Issuer, stage: Issuer) -> None:
    issued = csr.sign_request(csr.parse_request(request(DEVICE)), signer(stage, root), NOW)
    assert pem.parse_certificates(issued.chain) == [issued.certificate, stage.certificate]
    assert pem.parse_serial(issued.serial) == issued.certificate.serial_number


@cache
def strong_and_weak() -> dict[str, tuple[str, str]]:
    small = rsa.generate_private_key(65537, 1024)
    curve = ec.generate_private_key(ec.SECP192R1())
    subject = x509.CertificateSigningRequestBuilder().subject_name(subject_name(DEVICE))
    edwards = pem.request_to_pem(subject.sign(ed25519.Ed25519PrivateKey.generate(), None))
    old = pem.request_to_pem(subject.sign(dsa.generate_private_key(2048), hashes.SHA256()))
    good = request(DEVICE)
    other = request("another-name-1")
    mixed = good[:60] + other[60:70] + good[70:]
    certificate = signing.sign_root(terms("one"), new_key())
    return {
        "small RSA": (request(DEVICE, key=small), "1024 bits"),
        "small curve": (request(DEVICE, key=curve), "secp192r1"),
        "another curve": (request(DEVICE, key=ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        "Ed25519": (edwards, "neither EC nor RSA"),
        "DSA": (old, "neither EC nor RSA"),
        "no name": (request(), "0 common names"),
        "two names": (request(DEVICE, "vn83-1-kiosk2"), "2 common names"),
        "a key beside": (good + pem.key_to_pem(new_key()), "private key"),
        "a certificate": (pem.certificates_to_pem([certificate]), "certificate, no request"),
        "nonsense": ("hello", "no readable PEM request"),
        "damaged": (mixed, "; "),
    }


@pytest.mark.parametrize("kind", strong_and_weak())
def test_a_request_that_cannot_be_used_is_refused_with_a_way_out(kind: str) -> None:
    text, said = strong_and_weak()[kind]
    with pytest.raises(RequestRefused, match=said) as caught:
        csr.parse_request(text)
    assert caught.value.remedy
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
def test_stronger_keys_are_fine(key: signing.PrivateKey) -> None:
    assert csr.parse_request(request(DEVICE, key=key)).name == DEVICE


def test_a_request_that_was_changed_is_refused() -> None:
    found = x509.load_pem_x509_csr(request(DEVICE).encode())
    raw = bytearray(found.public_bytes(Encoding.DER))
    where = bytes(raw).index(DEVICE.encode())
    raw[where + len(DEVICE) - 1] = ord("2")
    forged = x509.load_der_x509_csr(bytes(raw))
    with pytest.raises(RequestRefused, match="signature"):
        csr.parse_request(pem.request_to_pem(forged))


@pytest.mark.parametrize(
    ("name", "service", "signed"),
    [
        (DEVICE, False, True), (DEVICE, True, False), ("vn83-28756-kiosk9", False, False), ("+", False, False),
        (INGEST_NAME_FORMAT.format(1), True, True), (INGEST_NAME_FORMAT.format(50), True, True),
        (INGEST_NAME_FORMAT.format(1), False, False),
        (INGEST_NAME_FORMAT.format("1/up"), True, False), (INGEST_NAME_FORMAT.format(0), True, False),
        (ROLLUP_NAME, True, True),
        (PROVISION_NAME, True, True), (MONITOR_NAME, True, True), (MONITOR_NAME, False, False),
        ("motcua-admin", True, False),
    ],
)  # fmt: skip
def test_only_declared_devices_and_asked_services_are_signed(name: str, service: bool, signed: bool) -> None:
    why = csr.client_refusal(name, {DEVICE, MONITOR_NAME}, service=service)
    assert (why is None) is signed
    assert why is None or all(why)


def test_a_certificate_ends_within_its_authoritys_life(root: Issuer, stage: Issuer) -> None:
    asked, by = csr.parse_request(request(DEVICE)), signer(stage, root)
    last = stage.certificate.not_valid_after_utc
    usual = csr.sign_request(asked, by, NOW).certificate
    assert usual.not_valid_after_utc == NOW + csr.DEFAULT_LIFETIME
    late = csr.sign_request(asked, by, last - timedelta(days=10)).certificate
    assert late.not_valid_after_utc == last
    with pytest.raises(RequestRefused, match="--days 10 at most"):
        csr.sign_request(asked, by, last - timedelta(days=10), timedelta(days=11))
    with pytest.raises(RequestRefused, match="the authority ended"):
        csr.sign_request(asked, by, last)


def test_a_certificate_is_valid_for_clocks_that_are_behind(root: Issuer, stage: Issuer) -> None:
    made = csr.sign_request(csr.parse_request(request(DEVICE)), signer(stage, root), NOW).certificate
    assert made.not_valid_before_utc == NOW - csr.CLOCK_TOLERANCE
    early = stage.certificate.not_valid_before_utc
    assert (
        csr.sign_request(
            csr.parse_request(request(DEVICE)), signer(stage, root), early
        ).certificate.not_valid_before_utc
        == early
    )


def test_only_an_intermediate_with_its_own_key_signs(root: Issuer, stage: Issuer) -> None:
    chain, key = pem.certificates_to_pem([stage.certificate, root.certificate]), pem.key_to_pem(stage.key)
    leaf = signing.sign_leaf(terms("one"), stage.key.public_key(), stage, "client")
    wrong = {
        "a root": (pem.certificates_to_pem([root.certificate]), pem.key_to_pem(root.key)),
        "do not belong": (chain, pem.key_to_pem(new_key())),
        "no authority": (pem.certificates_to_pem([leaf]), key),
        "no readable PEM certificate": ("", key),
        "no readable PEM private key": (chain, key[:60]),
    }
    for said, (certificates, secret) in wrong.items():
        with pytest.raises(RequestRefused, match=said) as caught:
            csr.load_signing_authority(certificates, secret)
        assert key.splitlines()[1] not in str(caught.value)


def test_a_list_names_each_revoked_certificate_with_its_reason(stage: Issuer) -> None:
    lost = RevokedEntry(7, NOW, x509.ReasonFlags.key_compromise)
    made = signing.sign_revocation_list(
        stage, [RevokedEntry(9, NOW), lost], 12, ValidityPeriod(NOW, NOW + timedelta(days=30))
    )
    assert [one.serial_number for one in made] == [7, 9]
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 12
    found = made.get_revoked_certificate_by_serial_number(7)
    assert found is not None
    assert found.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert made.is_signature_valid(stage.key.public_key())
    assert made.issuer == stage.certificate.subject


def test_authorities_of_one_name_are_told_apart_by_their_generation() -> None:
    assert subject_name("Stage", 1) != subject_name("Stage", 2)
    assert signing.common_name(subject_name("Stage", 2)) == "Stage"


@given(st.integers(1, 2**159 - 1))
def test_a_serial_is_read_back_as_it_was_written(serial: int) -> None:
    text = pem.serial_to_hex(serial)
    pairs = ":".join(text[i : i + 2] for i in range(0, len(text), 2)).upper()
    assert pem.parse_serial(text) == pem.parse_serial(pairs) == serial


@pytest.mark.parametrize("text", ["", "0", "xyz", "-1", "0x12", "1" * 41])
def test_what_is_no_serial_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no serial"):
        pem.parse_serial(text)


@pytest.mark.parametrize(
    "text", ["*.example", "a_b.example", "-a", "10.0.0.256", "a..b", "a b", "", "x" * 64, "mqtt.1"]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a DNS name nor an IP address"):
        parse_host(text)


def test_hosts_and_dates_have_one_form() -> None:
    assert [parse_host(one) for one in ("MQTT.Example", "::0001", "10.1.2.3")] == ["mqtt.example", "::1", "10.1.2.3"]
    assert parse_time("2027-01-31") == parse_time("2027-01-31T07:00:00+07:00") == datetime(2027, 1, 31, tzinfo=UTC)
    for text in ("2027-02-30", "tomorrow", "2027-01-31T00:00:00"):
        with pytest.raises(ValueError, match="write a date"):
            parse_time(text)
