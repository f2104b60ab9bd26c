"""The real mosquitto on the configuration that `infra.host.mosquitto` writes, in its own process on a free port.

With a `Pki` it asks for certificates and applies the access rules; without, it serves plain TCP on the loopback.
It must not be configured by hand here: what tests run is what operators get.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

from infra.host import mosquitto

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.pki import Pki

START_S = 60.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(0.5)
        return caller.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    """A broker with its files in `folder`; `program` is what `require("mosquitto")` gives."""

    def __init__(
        self, program: str, folder: Path, pki: Pki | None = None, *,
        workers: Sequence[str] = ("1", "2"), limits: mosquitto.MosquittoLimits | None = None, port: int = 0,
    ) -> None:  # fmt: skip
        self.port = port or _free_port()
        self.folder = folder
        self.log = folder / "mosquitto.log"
        self.acl = folder / "acl"
        self.conf = folder / "mosquitto.conf"
        (folder / "kept").mkdir(parents=True, exist_ok=True)
        self._command = (program, "-c", str(self.conf))
        self._write(pki, workers, limits or mosquitto.MosquittoLimits())
        self.start_again()

    @property
    def url(self) -> str:
        """The address without TLS; with a Pki use `identity.broker(port)`."""
        return f"mqtt://127.0.0.1:{self.port}"

    def _write(self, pki: Pki | None, workers: Sequence[str], limits: mosquitto.MosquittoLimits) -> None:
        user = "root" if os.geteuid() == 0 else "nobody"
        broker = mosquitto.MosquittoSettings(str(self.folder / "kept"), user, self.port, "127.0.0.1", limits)
        if pki is None:
            self.conf.write_text(mosquitto.render_loopback_configuration(broker))
            return
        tls = mosquitto.TlsFiles(str(pki.ca), str(pki.server.cert), str(pki.server.key), str(pki.crl))
        self.acl.write_text(mosquitto.render_acl_file(workers))
        self.conf.write_text(mosquitto.render_configuration(broker, tls, str(self.acl)))

    def start_again(self) -> None:
        """Start it on the same files and port, and wait until it listens."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + START_S
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto does not listen on {self.port}:\n{self.text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait(60)

    def end(self) -> None:
        """Stop it properly: it writes what it keeps."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def reload(self) -> None:
        """SIGHUP: read the configuration, access rules and the server's certificate again."""
        self.process.send_signal(signal.SIGHUP)

    def text(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
