"""Renders mosquitto's configuration: listener, access rules, limits. It must not start anything.

For mosquitto 2.0.11 and later 2.0 versions. The generated text gives the reason for every limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.plan.broker import DEVICE_READ_CHANNELS, DEVICE_WRITE_CHANNELS, service_users
from infra.templates import render_template
from telemetry.core.protocol.topics import TOPIC_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_PORT = 8883


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths on the host of the broker's certificate files, PEM."""

    ca: str
    cert: str
    key: str
    crl: str

    @classmethod
    def in_folder(cls, folder: str) -> TlsFiles:
        """Return the files of a folder under their usual names."""
        return cls(f"{folder}/ca.pem", f"{folder}/server.pem", f"{folder}/server.key", f"{folder}/crl.pem")


@dataclass(frozen=True, slots=True)
class MosquittoLimits:
    """Limits: messages and bytes queued per offline subscriber, connections, seconds between snapshots."""

    queued_messages: int = 1_000_000
    queued_bytes: int = 512 * 1024 * 1024
    connections: int = 1024
    autosave_s: int = 300


@dataclass(frozen=True, slots=True)
class MosquittoSettings:
    """The folder of its sessions, its system user, where it listens (`bind` empty: on all addresses)."""

    folder: str
    user: str = "mosquitto"
    port: int = DEFAULT_PORT
    bind: str = ""
    limits: MosquittoLimits = field(default_factory=MosquittoLimits)


def render_configuration(
    broker: MosquittoSettings, tls: TlsFiles, acl: str, services_port: int = 0, services_bind: str = ""
) -> str:
    """Return mosquitto.conf for mutual TLS with the access rules of the file `acl`.

    With a `services_port` it has a second listener, on which workers may share a certificate; it is bound to
    `services_bind`, or to the broker's address.
    """
    return render_template(
        "mosquitto.conf.j2",
        broker=broker, tls=tls, acl=acl, services_port=services_port, services_bind=services_bind or broker.bind,
    )  # fmt: skip


def render_loopback_configuration(broker: MosquittoSettings) -> str:
    """Return mosquitto.conf for this machine only, without TLS and access rules, for tests and trials."""
    return render_template("mosquitto.conf.j2", broker=broker, tls=None)


def render_acl_file(workers: Sequence[str] = ("1",)) -> str:
    """Return the access rules; `workers` are the names of the ingest workers."""
    return render_template(
        "mosquitto.acl.j2",
        users=service_users(workers), root=TOPIC_ROOT,
        write_channels=DEVICE_WRITE_CHANNELS, read_channels=DEVICE_READ_CHANNELS,
    )  # fmt: skip
