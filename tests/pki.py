"""A small certificate authority for tests: server and device certificates, expired, revoked, and a stranger's CA.

It must not be used outside tests: keys are written unencrypted and nothing is remembered but the revoked numbers.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.mqtt.address import BrokerAddress

Use = x509.ExtendedKeyUsage
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """One certificate with its key and the authority to trust, as files."""

    ca: Path
    cert: Path
    key: Path

    def broker(self, port: int, host: str = "127.0.0.1") -> BrokerAddress:
        """Return the address under which this identity meets a TLS broker."""
        from telemetry.mqtt.address import BrokerAddress

        return BrokerAddress(host, port, tls=True, ca=str(self.ca), cert=str(self.cert), key=str(self.key))


class Pki:
    """One authority, its files in `folder`: `ca.pem`, `crl.pem`, and per name `NAME.pem` and `NAME.key`."""

    def __init__(self, folder: Path, name: str = "Motcua test authority") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.crl = folder / "ca.pem", folder / "crl.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._revoked: list[int] = []
        self._lists = 0
        self._root = self._signed_root()
        self.ca.write_bytes(self._root.public_bytes(Encoding.PEM))
        self.write_crl()

    @cached_property
    def server(self) -> Identity:
        """The broker's certificate, for 127.0.0.1 and localhost."""
        return self.server_named("server")

    def server_named(self, name: str, *hosts: str) -> Identity:
        """Return another certificate for the same broker (a renewed one), or for more hosts."""
        names = [x509.DNSName(host) for host in ("localhost", *hosts)]
        where = x509.SubjectAlternativeName([*names, x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
        return self._issue(name, Use([ExtendedKeyUsageOID.SERVER_AUTH]), where=where)

    def client(self, name: str) -> Identity:
        """Return a client's certificate; `name` is its CN: a device id, or `motcua-ingest-1`."""
        return self._issue(name, Use([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def expired(self, name: str) -> Identity:
        """Return a client's certificate that ended yesterday."""
        now = datetime.now(UTC)
        return self._issue(name, Use([ExtendedKeyUsageOID.CLIENT_AUTH]), valid=(now - 30 * DAY, now - DAY))

    def revoke(self, identity: Identity) -> None:
        """Put a certificate on the revocation list; the broker must be told (see docs/how-to/install-one-server.md)."""
        cert = x509.load_pem_x509_certificate(identity.cert.read_bytes())
        self._revoked.append(cert.serial_number)
        self.write_crl()

    def write_crl(self, days: float = 30) -> None:
        """Write the revocation list, good for `days` (negative: its next update is already past)."""
        now = datetime.now(UTC)
        # Of two lists the newer counts, by its date in seconds; two of one second would be a tie.
        self._lists += 1
        dated = now - 60 * DAY + timedelta(minutes=self._lists)
        crl = x509.CertificateRevocationListBuilder(self._name, dated, now + days * DAY)
        for number in self._revoked:
            entry = x509.RevokedCertificateBuilder(number, now - DAY).build()
            crl = crl.add_revoked_certificate(entry)
        self.crl.write_bytes(crl.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def _signed_root(self) -> x509.Certificate:
        builder = _builder(self._name, self._name, self._key.public_key(), _around_now())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        return builder.sign(self._key, hashes.SHA256())

    def _issue(
        self,
        name: str,
        use: Use,
        *,
        valid: tuple[datetime, datetime] | None = None,
        where: x509.SubjectAlternativeName | None = None,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(name), self._name, key.public_key(), valid or _around_now())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True).add_extension(use, critical=False)
        if where is not None:
            builder = builder.add_extension(where, critical=False)
        file = name.replace("/", "_")
        identity = Identity(self.ca, self.folder / f"{file}.pem", self.folder / f"{file}.key")
        identity.cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        identity.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        identity.key.chmod(0o600)
        return identity


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _around_now() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - 60 * DAY, now + 30 * DAY


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), *valid)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip
