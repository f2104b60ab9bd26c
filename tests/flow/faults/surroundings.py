"""The broker and the store of the fault matrix, each with what can be done to it; they must not know of rounds.

`Guarded` is mosquitto with certificates and access rules, `Influx` a real InfluxDB; `Embedded` and `Sqlite` are
the embedded defaults, which offer fewer faults (`absent`).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from infra.host.mosquitto import render_acl_file
from telemetry import wiring
from telemetry.mqtt.address import BrokerAddress
from telemetry.store import SERVER_OUTBOX_IDS
from tests.flow.conftest import Role
from tests.flow.device import wait_until
from tests.flow.faults.plan import DEVICES, WORKERS
from tests.mosquitto import Mosquitto
from tests.pki import Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.calendar.windows import Window
    from telemetry.store import Store
    from tests.flow.faults.plan import Kind
    from tests.servers import InfluxServer

ECHO = "chaos-echo"
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT)
NAMES = (*DEVICES, *(f"motcua-ingest-{worker}" for worker in WORKERS), "motcua-rollup", ECHO)


class Broker(Protocol):
    """What a round needs of a broker."""

    absent: frozenset[Kind]
    port: int

    def address(self, name: str, port: int = 0) -> BrokerAddress: ...
    def kill(self) -> None: ...
    def start_again(self) -> None: ...
    def rules(self, *, writing: bool = True, receipts: bool = True) -> None: ...
    def revive(self) -> bool: ...
    def end(self) -> None: ...


class Guarded:
    """mosquitto as operators run it, and one more user that may say again what devices said."""

    absent: frozenset[Kind] = frozenset()

    def __init__(self, program: str, folder: Path) -> None:
        pki = Pki(folder / "pki")
        self._identities = {name: pki.client(name) for name in NAMES}
        self._killed, self._starts = False, 0
        self._broker = Mosquitto(program, folder / "mosquitto", pki, workers=WORKERS)
        self.port, self.end = self._broker.port, self._broker.end
        self._started()
        self.rules()

    def address(self, name: str, port: int = 0) -> BrokerAddress:
        return self._identities[name].broker(port or self.port)

    def rules(self, *, writing: bool = True, receipts: bool = True) -> None:
        """Write the access rules anew; without `writing` devices' frames are refused, without `receipts` unanswered."""
        gone = [] if writing else ["pattern write motcua/v1/+/%u/up"]
        gone += [] if receipts else ["pattern read motcua/v1/+/%u/receipt"]
        lines = render_acl_file(WORKERS).splitlines()
        assert all(line in lines for line in gone), lines
        echo = [f"user {ECHO}", "topic readwrite motcua/v1/+/+/up", ""]
        self._broker.acl.write_text("\n".join([*echo, *(line for line in lines if line not in gone), ""]))
        if self._broker.process.poll() is None:
            self._broker.reload()

    def kill(self) -> None:
        self._killed = True
        self._broker.kill()

    def start_again(self) -> None:
        self._killed = False
        self._broker.start_again()
        self._started()

    def _started(self) -> None:
        """Wait until mosquitto says so: it listens before it has a handler for SIGHUP, which then ends it."""
        self._starts += 1
        wait_until(lambda: self._broker.text().count(" running\n") >= self._starts, "mosquitto runs")

    def revive(self) -> bool:
        """Start mosquitto again when it crashed by itself, as systemd does; tells whether it had.

        2.0 up to 2.0.19 puts a session that is away on its expiry list twice when SIGHUP comes, and dies of it
        later (mended in 2.1.0).  Agents and ingest must live through that too.
        """
        if self._killed or self._broker.process.poll() is None:
            return False
        assert self._broker.process.returncode in CRASHES, self._broker.text()[-2000:]
        self.start_again()
        return True


class Embedded:
    """The embedded broker: it knows no access rules."""

    absent: frozenset[Kind] = frozenset({"acl_refuses", "lost_receipts"})

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        env = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        command = [*python("launch.py"), "", "broker", "--listen", f"127.0.0.1:{self.port}"]
        role = Role(command, folder / "broker.log", env)
        self.kill, self.start_again, self.end = role.kill, role.start_again, role.end

    def address(self, name: str, port: int = 0) -> BrokerAddress:
        assert name in NAMES
        return BrokerAddress("127.0.0.1", port or self.port)

    def rules(self, *, writing: bool = True, receipts: bool = True) -> None:
        raise NotImplementedError

    def revive(self) -> bool:
        return False


class Kept(Protocol):
    """What a round needs of a store."""

    absent: frozenset[Kind]
    port: int

    def environment(self, port: int = 0) -> Mapping[str, str]: ...
    def open(self) -> Store: ...
    def names(self, window: Window) -> list[tuple[str, str, int]]: ...
    def kill(self) -> None: ...
    def start_again(self) -> None: ...
    def allow(self, *, token: bool) -> None: ...
    def end(self) -> None: ...


@dataclass(slots=True)
class Sqlite:
    """One file; nothing can be done to it from outside."""

    path: Path
    port: int = 0
    absent: frozenset[Kind] = frozenset({"kill_store", "token_revoked"})

    def environment(self, port: int = 0) -> Mapping[str, str]:
        assert not port
        return {"MOTCUA_STORE": f"sqlite:///{self.path}"}

    def open(self) -> Store:
        return wiring.open_store(f"sqlite:///{self.path}")

    def names(self, window: Window) -> list[tuple[str, str, int]]:
        """Return (device, spool, n) of all agents' events in the window, asked of the file itself."""
        sql = """SELECT d.text, s.text, n FROM raw JOIN name d ON d.id = device JOIN name s ON s.id = spool
            WHERE t >= ? AND t < ?"""
        with closing(sqlite3.connect(self.path)) as file:
            return [row for row in file.execute(sql, (window.start, window.end)) if row[1] not in SERVER_OUTBOX_IDS]

    def kill(self) -> None:
        raise NotImplementedError

    def start_again(self) -> None:
        raise NotImplementedError

    def allow(self, *, token: bool) -> None:
        raise NotImplementedError

    def end(self) -> None: ...


class Influx:
    """A real InfluxDB; the roles use a token of their own, the second reader the operator's."""

    absent: frozenset[Kind] = frozenset()
    bucket = "motcua"

    def __init__(self, server: InfluxServer) -> None:
        self._server = server.start()
        buckets = [self.bucket, *(f"{self.bucket}-{width}" for width in ("5m", "1h", "1d"))]
        for name in buckets:
            server.make_bucket(name)
        self._ident, self._token = server.make_token(buckets, buckets)
        self.port = server.port
        self.kill, self.end = server.kill, server.end

    def environment(self, port: int = 0) -> Mapping[str, str]:
        url = self._server.store_url(self.bucket).replace(f":{self.port}", f":{port or self.port}")
        return {"MOTCUA_STORE": url, "MOTCUA_STORE_TOKEN": self._token}

    def open(self) -> Store:
        return wiring.open_store(self._server.store_url(self.bucket), self._server.token)

    def names(self, window: Window) -> list[tuple[str, str, int]]:
        """Return (device, spool, n) of all agents' points in the window, asked of the server itself."""
        question = f"SELECT device, spool, n FROM event WHERE time >= {window.start}ms AND time < {window.end}ms"
        asked = urlencode({"db": self.bucket, "q": question})
        answer = self._server.call("GET", f"/query?{asked}")["results"][0]
        rows = [row for series in answer.get("series", ()) for row in series["values"]]
        return [(device, spool, int(n)) for _, device, spool, n in rows]

    def start_again(self) -> None:
        self._server.start()

    def allow(self, *, token: bool) -> None:
        self._server.switch_token(self._ident, "active" if token else "inactive")


def python(file: str) -> list[str]:
    """Return the command that runs a module of this folder."""
    return [sys.executable, str(Path(__file__).with_name(file))]
