"""A server's certificate in two files that can be renewed, and the certificate that a port on the loopback shows."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.pki import Pki

WAIT_S = 60.0


class ServerFiles:
    """`tls.crt`, `tls.key` and `ca.crt` in a folder, as a pod of a hosted system has them."""

    def __init__(self, pki: Pki, folder: Path, *hosts: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pki, self._hosts, self.folder = pki, hosts, folder
        self.certificate, self.key, self.ca = (folder / name for name in ("tls.crt", "tls.key", "ca.crt"))
        shutil.copy(pki.ca, self.ca)
        self.renew("first")

    def renew(self, name: str) -> int:
        """Put another certificate with its key into the files; returns its serial number."""
        made = self._pki.server_named(f"{self.folder.name}-{name}", *self._hosts)
        shutil.copy(made.key, self.key)
        shutil.copy(made.cert, self.certificate)
        return x509.load_pem_x509_certificate(made.cert.read_bytes()).serial_number

    def shown(self, port: int) -> int:
        """Return the serial number of the certificate that a port shows, 0 while nothing answers there."""
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as encrypted,
            ):
                return x509.load_der_x509_certificate(encrypted.getpeercert(binary_form=True) or b"").serial_number
        except OSError:
            return 0

    def until_shown(self, port: int, serial: int, process: subprocess.Popen[bytes], log: Path) -> None:
        """Wait until a port shows a certificate; fails when the process has ended."""
        deadline = time.monotonic() + WAIT_S
        while self.shown(port) != serial:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
