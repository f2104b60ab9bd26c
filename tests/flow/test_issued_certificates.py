"""What the PKI kinds make, at the real mosquitto: generations that overlap, revocation, and one root for agents."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from infra.host import mosquitto
from infra.providers.pki import KINDS, csr, pem, signing
from telemetry.core.protocol.topics import Topic, topic_filter
from telemetry.mqtt.link import FAILED, LinkSettings
from tests.flow.guests import Room
from tests.mosquitto import Mosquitto
from tests.pki import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.flow.guests import Guest
    from tests.pki import Pki

pytestmark = pytest.mark.flow
MINE = Topic("vn83-28756", "vn83-28756-kiosk1", "up")
OTHER = Topic("vn83-28756", "vn83-28756-kiosk2", "up")
DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def date(days: int) -> str:
    return f"{NOW + days * DAY:%Y-%m-%d}"


class Stage:
    """A stage's certificates as the kinds make them, its files in `folder`; the root is an offline one."""

    def __init__(self, folder: Path, require: Callable[[str], str]) -> None:
        folder.mkdir(parents=True)
        self.folder, self._openssl = folder, require("openssl")
        self.ca, self.trusted, self.crl = folder / "root.pem", folder / "authorities.pem", folder / "crl.pem"
        key, span = signing.new_key(), signing.ValidityPeriod(NOW - DAY, NOW + 4000 * DAY)
        self.root = signing.sign_root(
            signing.CertificateTerms(signing.subject_name("Motcua root"), span, signing.new_serial()), key
        )
        self._key = pem.key_to_pem(key)
        self.ca.write_text(pem.certificates_to_pem([self.root]))
        self.authorities: dict[int, Mapping[str, object]] = {}
        self.lists: dict[int, Mapping[str, object]] = {}
        self.revoked: list[dict[str, str]] = []
        self.begin(1)
        self.server = self.made("server", "localhost", "127.0.0.1")
        self.write()

    def begin(self, generation: int) -> None:
        """Make the authority of a generation, with its list."""
        inputs = {
            "name": "Motcua vn83 prod", "stage": "prod", "generation": generation, "not_before": date(-1),
            "not_after": date(1000), "root_certificate": self.ca.read_text(), "root_key": self._key,
        }  # fmt: skip
        assert KINDS["authority"]().check({}, inputs)[1] == []
        self.authorities[generation] = KINDS["authority"]().create(inputs)[1]
        self.lists[generation] = KINDS["revocation_list"]().create(self._listing(generation))[1]

    def made(self, name: str, *hosts: str) -> Identity:
        """Make a server's or a service's certificate with the newest authority."""
        signer = self.authorities[max(self.authorities)]
        inputs = {
            "name": name, "use": "server" if hosts else "client", "hosts": list(hosts), "generation": 1,
            "not_before": date(-1), "not_after": date(300), "issuer_certificate": signer["certificate"],
            "issuer_chain": signer["chain"], "issuer_key": signer["key"],
        }  # fmt: skip
        _, outputs = KINDS["certificate"]().create(inputs)
        return self._kept(f"{name}-{max(self.authorities)}", str(outputs["certificate"]), str(outputs["key"]))

    def client(self, name: str) -> Identity:
        """Return a service's certificate, or what a device gets for a request that openssl made."""
        if name.startswith("motcua-"):
            return self.made(name)
        number = max(self.authorities)
        key, request = self.folder / f"{name}-{number}.key", self.folder / f"{name}-{number}.csr"
        words = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
        self.openssl(*words, "-keyout", str(key), "-out", str(request))
        signer = self.authorities[number]
        by = csr.load_signing_authority(str(signer["chain"]), str(signer["key"]))
        signed = csr.sign_request(csr.parse_request(request.read_text()), by, datetime.now(UTC))
        return self._kept(f"{name}-{number}", signed.chain, key.read_text())

    def revoke(self, identity: Identity) -> None:
        """Have every authority's list name a certificate."""
        serial = pem.parse_certificates(identity.cert.read_text())[0].serial_number
        self.revoked.append({"serial": pem.serial_to_hex(serial), "date": date(0), "reason": "keyCompromise"})
        for number, old in self.lists.items():
            self.lists[number] = KINDS["revocation_list"]().update("", old, self._listing(number))
        self.write()

    def retire(self, generation: int) -> None:
        """Trust a generation no more."""
        del self.authorities[generation], self.lists[generation]
        self.write()

    def write(self) -> None:
        """Write the broker's files: the chains of all authorities, and all lists, one after the other."""
        self.trusted.write_text("".join(str(one["chain"]) for one in self.authorities.values()))
        self.crl.write_text("".join(str(one["crl"]) for one in self.lists.values()))

    def openssl(self, *words: str) -> str:
        done = subprocess.run([self._openssl, *words], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def _listing(self, generation: int) -> dict[str, object]:
        signer = self.authorities[generation]
        return {
            "issuer_certificate": signer["certificate"], "issuer_key": signer["key"], "revoked": list(self.revoked),
            "this_update": date(-1), "next_update": date(60),
        }  # fmt: skip

    def _kept(self, file: str, chain: str, key: str) -> Identity:
        identity = Identity(self.ca, self.folder / f"{file}.pem", self.folder / f"{file}.key")
        identity.cert.write_text(chain)
        identity.key.write_text(key)
        return identity


class Trusting(Mosquitto):
    """The broker on a stage's files."""

    def __init__(self, program: str, folder: Path, stage: Stage) -> None:
        self.stage = stage
        super().__init__(program, folder)

    def _write(self, *_: object) -> None:
        user = "root" if os.geteuid() == 0 else "nobody"
        kept = mosquitto.MosquittoSettings(str(self.folder / "kept"), user, self.port, "127.0.0.1")
        server = self.stage.server
        tls = mosquitto.TlsFiles(str(self.stage.trusted), str(server.cert), str(server.key), str(self.stage.crl))
        self.acl.write_text(mosquitto.render_acl_file())
        self.conf.write_text(mosquitto.render_configuration(kept, tls, str(self.acl)))

    def restart(self) -> None:
        self.end()
        self._write()
        self.start_again()


@pytest.fixture
def stage(require: Callable[[str], str], tmp_path: Path) -> Stage:
    return Stage(tmp_path / "stage", require)


@pytest.fixture
def broker(require: Callable[[str], str], tmp_path: Path, stage: Stage) -> Trusting:
    return Trusting(require("mosquitto"), tmp_path / "broker", stage)


@pytest.fixture
def room(broker: Trusting, stage: Stage) -> Iterator[Room]:
    one = Room(broker, cast("Pki", stage), "localhost")
    yield one
    one.close()


def comes_in(room: Room, identity: Identity, topic: Topic) -> Guest | None:
    """Try to come in as a device; what comes in can publish."""
    guest = room.knock(identity, LinkSettings(topic.device))
    if not guest.links:
        return None
    assert guest.publish(topic.path, b"frame") < FAILED
    return guest


def test_a_device_whose_request_was_signed_publishes(room: Room, stage: Stage) -> None:
    ingest = room.enter("motcua-ingest-1", topic_filter("up"))
    assert comes_in(room, stage.client(MINE.device), MINE)
    room.until(lambda: ingest.got, "the frame arrives")
    assert ingest.got == [(MINE.path, b"frame")]


def test_a_revoked_device_is_refused_and_others_are_not(room: Room, broker: Trusting, stage: Stage) -> None:
    lost, kept = stage.client(MINE.device), stage.client(OTHER.device)
    assert comes_in(room, lost, MINE)
    stage.revoke(lost)
    broker.restart()
    assert comes_in(room, lost, MINE) is None
    assert comes_in(room, kept, OTHER)
    assert comes_in(room, stage.client(MINE.device), MINE), "a new certificate of the same name counts"


def test_two_generations_overlap_and_the_old_one_ends(room: Room, broker: Trusting, stage: Stage) -> None:
    """Also for a device that presents its authority itself: without that authority's list nobody believes it."""
    first = stage.client(MINE.device)
    stage.begin(2)
    stage.server = stage.made("server", "localhost")
    stage.write()
    broker.restart()
    second = stage.client(OTHER.device)
    assert comes_in(room, first, MINE)
    assert comes_in(room, second, OTHER)
    stage.revoke(second)
    broker.restart()
    assert comes_in(room, first, MINE), "the other authority's list says nothing about it"
    assert comes_in(room, second, OTHER) is None
    stage.retire(1)
    broker.restart()
    assert comes_in(room, first, MINE) is None
    assert comes_in(room, stage.client(MINE.device), MINE)


def test_an_agent_needs_nothing_but_the_root_to_know_the_server(room: Room, stage: Stage, tmp_path: Path) -> None:
    identity = stage.client(MINE.device)
    assert comes_in(room, identity, MINE)
    stranger = Stage(tmp_path / "stranger", lambda program: program)
    context = ssl.create_default_context(cafile=stranger.ca)
    context.load_cert_chain(identity.cert, identity.key)
    with (
        socket.create_connection(("127.0.0.1", room.broker.port), 60) as line,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(line, server_hostname="localhost")


def test_openssl_agrees(stage: Stage) -> None:
    device, server, ingest = stage.client(MINE.device), stage.server, stage.client("motcua-ingest-1")
    verify = ("verify", "-x509_strict", "-CAfile", str(stage.ca), "-untrusted")
    checked = ("verify", "-crl_check", "-CRLfile", str(stage.crl), "-CAfile", str(stage.trusted))
    for purpose, one in (("sslclient", device), ("sslserver", server), ("sslclient", ingest)):
        assert stage.openssl(*verify, str(one.cert), "-purpose", purpose, str(one.cert)).endswith(": OK\n")
        assert stage.openssl(*checked, str(one.cert)).endswith(": OK\n")
    for purpose, one in (("sslserver", device), ("sslclient", server)):
        assert "certificate purpose" in stage.openssl(*verify, str(one.cert), "-purpose", purpose, str(one.cert))
    for name, good in (("localhost", True), ("elsewhere", False)):
        told = stage.openssl(*verify, str(server.cert), "-verify_hostname", name, str(server.cert))
        assert told.endswith(": OK\n") is good, told
    stage.revoke(device)
    assert "certificate revoked" in stage.openssl(*checked, str(device.cert))
    assert stage.openssl(*checked, str(ingest.cert)).endswith(": OK\n")
