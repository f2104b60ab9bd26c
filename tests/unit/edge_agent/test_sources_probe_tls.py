"""A certificate's days are those of the earliest end in the chain that verifies it, and the probe says which it is."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.sources.probe import MAX_CERTIFICATE_DAYS, Probe, ProbeOutcome, run_probe
from tests.raw_server import raw_server

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Iterator
    from pathlib import Path

x509 = pytest.importorskip("cryptography.x509", reason="install cryptography to test TLS probes")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    key: Any
    certificate: Any

    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding

        return bytes(self.certificate.public_bytes(Encoding.PEM))


def issue(
    name: str, days: float, issuer: Issued | None = None, *, like: Issued | None = None, starts: float = -30
) -> Issued:
    """Issue a certificate (with the key of `like`) of days from now; localhost is a server, others are authorities."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    now, key = datetime.now(UTC), like.key if like else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer, by = (issuer.key, issuer.certificate.subject) if issuer else (key, subject)
    made = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(days=starts)).not_valid_after(now + timedelta(days=days))
    made = made.add_extension(x509.BasicConstraints(name != "localhost", None), critical=True)
    if name == "localhost":
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return Issued(key, made.sign(signer, hashes.SHA256()))


@contextmanager
def serving(folder: Path, *chain: Issued, answer: bytes = OK) -> Iterator[str]:
    """Serve the chain, leaf first, and answer each request with 200; yields HOST:PORT."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "chain.pem").write_bytes(key + b"".join(issued.pem() for issued in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem")

    def talk(line: socket.socket, _: bytes, __: threading.Event) -> None:
        with context.wrap_socket(line, server_side=True) as wrapped:
            if wrapped.recv(4096):
                wrapped.sendall(answer)

    with raw_server(talk, reads_first=False) as server:
        yield f"localhost:{server.port}"


def probe(place: str) -> ProbeOutcome:
    return run_probe(Probe("vn-ngsp", "tls", place, 10))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issued:
    """An authority of 900 days that this machine trusts."""
    return trusted(tmp_path, monkeypatch, issue("root", 900))


def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch, authority: Issued) -> Issued:
    (folder / "trust.pem").write_bytes(authority.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "trust.pem"))
    return authority


@pytest.mark.parametrize(
    ("leaf_days", "between_days", "days", "which"),
    [(12, 90, 12, "leaf"), (90, 10, 10, "intermediate"), (-1, 90, -1, "leaf"), (90, -3, -3, "intermediate")],
)
def test_days_are_those_of_the_earliest_end_and_an_expired_certificate_is_a_tls_fault(
    tmp_path: Path, root: Issued, leaf_days: float, between_days: float, days: float, which: str
) -> None:
    between = issue("between", between_days, root)
    with serving(tmp_path, issue("localhost", leaf_days, between), between) as place:
        outcome = probe(place)
        over_http = run_probe(Probe("vn-ngsp", "http", f"https://{place}/", 10))
    assert (outcome.error, outcome.tls_certificate) == (None if days > 0 else "tls", which)
    assert outcome.tls_days == pytest.approx(days, abs=0.1)
    assert over_http == (ProbeOutcome(None, 200) if days > 0 else ProbeOutcome("tls"))


@pytest.mark.parametrize(("days", "error"), [(5, None), (-2, "tls")])
def test_a_root_of_the_trust_store_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, error: str | None
) -> None:
    authority = trusted(tmp_path, monkeypatch, issue("root", days))
    with serving(tmp_path, issue("localhost", 90, authority)) as place:
        outcome = probe(place)
    assert (outcome.error, outcome.tls_certificate) == (error, "root")
    assert outcome.tls_days == pytest.approx(days, abs=0.1)


def test_a_certificate_that_is_sent_and_not_needed_does_not_count(tmp_path: Path, root: Issued) -> None:
    """As when DST Root CA X3 ended: the server still sent a cross-signature of a root that is trusted itself."""
    older = issue("older", -5)
    crossed = issue("root", -5, older, like=root)
    with serving(tmp_path, issue("localhost", 90, root), crossed, older) as place:
        outcome = probe(place)
    assert (outcome.error, outcome.tls_certificate) == (None, "leaf")
    assert outcome.tls_days == pytest.approx(90, abs=0.1)


def test_self_signed_wrong_host_and_not_yet_valid_are_tls_faults(tmp_path: Path, root: Issued) -> None:
    with serving(tmp_path, issue("localhost", 40)) as place:
        outcome = probe(place)
        assert (outcome.error, outcome.tls_certificate) == ("tls", "leaf")
        assert outcome.tls_days == pytest.approx(40, abs=0.1)
    with serving(tmp_path, issue("localhost", 40, root)) as place:
        assert probe(place.replace("localhost", "127.0.0.1")).error == "tls"
        assert probe(place.replace("localhost", "localhost.")).error is None
    with serving(tmp_path, issue("localhost", 40, root, starts=2)) as place:
        outcome = probe(place)
        assert outcome.error == "tls"
        assert outcome.tls_days == pytest.approx(40, abs=0.1)


def test_a_self_signed_certificate_that_is_trusted_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = trusted(tmp_path, monkeypatch, issue("localhost", 12))
    with serving(tmp_path, own) as place:
        outcome = probe(place)
    assert (outcome.error, outcome.tls_certificate) == (None, "leaf")


def test_a_certificate_without_an_end_has_as_many_days_as_an_event_may_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5280: no well-defined end is written 99991231235959Z."""
    days = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - datetime.now(UTC)).total_seconds() / 86_400
    with serving(tmp_path, trusted(tmp_path, monkeypatch, issue("localhost", days - 0.01))) as place:
        assert probe(place).tls_days == MAX_CERTIFICATE_DAYS


def test_a_server_that_talks_no_tls_is_a_tls_fault() -> None:
    def talk(line: socket.socket, _: bytes, __: threading.Event) -> None:
        line.sendall(b"220 mail ready\r\n")

    with raw_server(talk) as server:
        assert probe(f"127.0.0.1:{server.port}") == ProbeOutcome("tls")


def test_a_server_that_closes_without_a_word_of_tls_is_up(tmp_path: Path, root: Issued) -> None:
    """HTTP/1.0: the end of the body is the end of the connection, which many servers do not announce."""
    answer = b"HTTP/1.0 200 OK\r\n\r\nok"
    with serving(tmp_path, issue("localhost", 40, root), answer=answer) as place:
        assert run_probe(Probe("vn-ngsp", "http", f"https://{place}/", 10)) == ProbeOutcome(None, 200)


def test_a_server_that_speaks_http_2_only_is_up(tmp_path: Path, root: Issued) -> None:
    with serving(tmp_path, issue("localhost", 40, root)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "chain.pem")
    context.set_alpn_protocols(["h2"])
    chosen: list[str | None] = []

    def talk(line: socket.socket, _: bytes, __: threading.Event) -> None:
        with context.wrap_socket(line, server_side=True) as wrapped:
            chosen.append(wrapped.selected_alpn_protocol())
            wrapped.sendall(b"\0\0\0\x04\0\0\0\0\0")  # SETTINGS
            wrapped.recv(4096)
            wrapped.sendall(b"\0\0\x01\x01\x05\0\0\0\x01\x88")  # HEADERS of stream 1: status 200, the end
            while wrapped.recv(4096):
                pass

    with raw_server(talk, reads_first=False) as server:
        outcome = run_probe(Probe("vn-ngsp", "http", f"https://localhost:{server.port}/", 10))
    assert (outcome, chosen) == (ProbeOutcome(None, 200), ["h2"])
