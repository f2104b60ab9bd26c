"""InfluxDB with TLS as Motcua's hosted system runs it: our client trusts the authority alone, renewal is picked up."""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from infra.providers.influx.client import InfluxClient
from infra.providers.resource_kind import ProviderError
from infra.targets.kubernetes.influxdb import restarting_script
from telemetry.errors import StoreUnavailable
from telemetry.store.influx.server import InfluxServer as Client
from tests.encrypted_server import ServerFiles
from tests.pki import Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.flow
TOKEN = "operator-token-of-this-test"


class EncryptedInflux:
    """influxd as the script of the pod starts it, with its certificate in a file that can be renewed."""

    def __init__(self, program: str, folder: Path) -> None:
        self.pki, self.port, self.folder = Pki(folder / "pki"), free_port(), folder
        self.url = f"https://localhost:{self.port}"
        self.files = ServerFiles(self.pki, folder / "tls")
        words = {"bolt": "b", "engine": "e", "sqlite": "s"}
        paths = " ".join(f"--{name}-path {folder / file}" for name, file in words.items())
        script = restarting_script()
        for before, after in (
            ("/entrypoint.sh influxd", f"{program} {paths} --store disk --log-level error --reporting-disabled"),
            ("/etc/motcua/tls/tls.crt", str(self.files.certificate)),
            ("sleep 60", "sleep 0.1"),
        ):
            assert before in script
            script = script.replace(before, after)
        env = {
            "INFLUXD_TLS_CERT": str(self.files.certificate),
            "INFLUXD_TLS_KEY": str(self.files.key),
            "INFLUXD_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
        }
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(["/bin/sh", "-c", script], env=env, stdout=log, stderr=log)

    def renew(self, name: str) -> None:
        """Renew its certificate, and wait until it shows the new one."""
        serial = self.files.renew(name)
        self.files.until_shown(self.port, serial, self.process, self.folder / "log")


@pytest.fixture
def encrypted(influxd_program: str, tmp_path: Path) -> Iterator[EncryptedInflux]:
    server = EncryptedInflux(influxd_program, tmp_path)
    yield server
    server.process.terminate()
    server.process.wait(60)
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", server.port)) != 0, "the script ends after the server"


def test_the_clients_trust_the_authority_alone_and_a_renewed_certificate_is_shown(
    encrypted: EncryptedInflux, tmp_path: Path
) -> None:
    encrypted.renew("second")
    operator = InfluxClient(encrypted.url, TOKEN, authority=encrypted.pki.ca.read_text(), pauses_s=())
    operator.set_up({"username": "motcua", "password": "only-for-tests", "org": "motcua", "bucket": "default"})
    operator.close()
    for authority in ("", Pki(tmp_path / "other", "Another authority").ca.read_text()):
        stranger = InfluxClient(encrypted.url, TOKEN, authority=authority, pauses_s=())
        with pytest.raises(ProviderError, match="its certificate is not trusted"):
            stranger.fetch_operator_id()
        stranger.close()
    with (
        closing(Client(encrypted.url, "motcua", TOKEN)) as stranger_role,
        pytest.raises(StoreUnavailable, match=r"not trusted.*&ca=FILE"),
    ):
        stranger_role.find_org_id()
    with closing(Client(encrypted.url, "motcua", TOKEN, ca=str(encrypted.pki.ca))) as role:
        role.write("default", b"lines n=1i 1000000000")
        encrypted.renew("third")
        rows = role.query("default", tuple[int, int], "SELECT n FROM lines")
        assert rows[0][0].values == [(1_000_000_000, 1)], "what was written is there after the restart"
