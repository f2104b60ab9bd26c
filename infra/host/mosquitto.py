"""Writes the mosquitto configuration: listener, access rules, limits. It must not read files or start anything.

For mosquitto 2.0.11 and later 2.0 versions. Every limit stands with its reason in the generated text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.plan.broker import DEVICE_READ_CHANNELS, DEVICE_WRITE_CHANNELS, service_users
from telemetry.core.protocol.topics import TOPIC_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.plan.values import BrokerUser

DEFAULT_PORT = 8883
_LISTENER = """# One listener, with a certificate on both sides.
listener {port}{bind}
socket_domain ipv4
protocol mqtt
# TLS 1.2 is the least version; 1.3 is used where both sides have it.
tls_version tlsv1.2
cafile {ca}
certfile {cert}
keyfile {key}
# SIGHUP reads certificate, key and this list again, for new connections; one that stands with a
# revoked certificate lasts until it ends: restart mosquitto to end it now. Once the list's own
# "next update" has passed, every client is refused: renew it in time.
crlfile {crl}
require_certificate true
# The certificate's common name is the user, and the user is the client id: nobody can
# take another's id, so nobody can end another's connection or speak in its name.
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {acl}
"""

_SERVICES_LISTENER = """\
# A listener for the services alone; a firewall must keep devices away from it. It lets several workers
# with one certificate connect, each under a client id of its own: here the common name is the user, by
# which access is decided as below, but not the client id. It stands first, because max_connections
# below is for the listener before it.
listener {port}{bind}
socket_domain ipv4
protocol mqtt
tls_version tlsv1.2
cafile {ca}
certfile {cert}
keyfile {key}
crlfile {crl}
require_certificate true
use_identity_as_username true

"""

_LOOPBACK_LISTENER = """# For tests and trials: no certificate, nobody but this machine.
listener {port} 127.0.0.1
allow_anonymous true
"""

_LIMITS = """
# Queue for a subscriber that is away, which is ingest (devices keep no session). Beyond either
# limit mosquitto drops silently; agents send a row again until its receipt comes, so a drop
# costs a resend, never an event. The bytes bound the broker's memory, per client.
max_queued_messages {queued_messages}
max_queued_bytes {queued_bytes}
# QoS 0 messages (receipts) are not queued for a device that is away.
queue_qos0_messages false

# Unanswered QoS 1 messages from one client; told to MQTT 5 clients as Receive Maximum. An agent
# keeps 8. Towards ingest its own Receive Maximum counts instead (up to 20000).
max_inflight_messages 200
# The byte limit would undercut ingest's Receive Maximum.
max_inflight_bytes 0

# A whole packet, properties included; told to clients, and one that sends a larger packet is
# disconnected. A frame has at most 128 kB, and ingest answers what lies between with a final
# refusal. message_size_limit is left out on purpose: 2.0.11 answers it with a PUBACK reason that
# MQTT 5 does not know there (0x95), over which clients give up the connection.
max_packet_size 262144

# A half-open connection is noticed within 1.5 times this many seconds.
max_keepalive 120
# Sessions that nobody takes up again; ingest asks for 7 days.
persistent_client_expiration 14d
# Every declared device twice (an old connection may linger), and the services.
max_connections {connections}
# Small packets go out at once.
set_tcp_nodelay true
"""

_PERSISTENCE = """
# Sessions, queues and retained states survive a restart. The whole of it is written at a proper
# stop and every autosave_interval seconds (which stops the broker for that moment, so not more
# often). kill -9 or a power cut loses what came since: agents send it again.
persistence true
persistence_location {folder}/
persistence_file mosquitto.db
autosave_on_changes false
autosave_interval {autosave_s}
"""

_LOG = """
# systemd's journal takes stderr and adds the time.
log_dest stderr
log_timestamp false
log_type error
log_type warning
log_type notice
log_type information
connection_messages true
sys_interval 10
"""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths on the host of the broker's certificate files, PEM."""

    ca: str
    cert: str
    key: str
    crl: str


@dataclass(frozen=True, slots=True)
class MosquittoLimits:
    """Sizes: frames and bytes queued per absent subscriber, connections, seconds between snapshots."""

    queued_messages: int = 1_000_000
    queued_bytes: int = 512 * 1024 * 1024
    connections: int = 1024
    autosave_s: int = 300


@dataclass(frozen=True, slots=True)
class MosquittoSettings:
    """Where it keeps its sessions (a folder), whom it runs as, where it listens (`bind` empty: everywhere)."""

    folder: str
    user: str = "mosquitto"
    port: int = DEFAULT_PORT
    bind: str = ""
    limits: MosquittoLimits = field(default_factory=MosquittoLimits)


def render_configuration(
    broker: MosquittoSettings, tls: TlsFiles, acl: str, services_port: int = 0, services_bind: str = ""
) -> str:
    """Return mosquitto.conf for mutual TLS with the access rules of the file `acl`.

    With a port for `services` it has a second listener, on which workers may share a certificate; it is bound to
    the address `inside`, or to the broker's.
    """
    where = f" {broker.bind}" if broker.bind else ""
    files = {"bind": where, "ca": tls.ca, "cert": tls.cert, "key": tls.key, "crl": tls.crl}
    listener = _LISTENER.format(port=broker.port, acl=acl, **files)
    if services_port:
        files["bind"] = f" {services_bind}" if services_bind else where
        listener = _SERVICES_LISTENER.format(port=services_port, **files) + listener
    return _render_file(broker, listener)


def render_loopback_configuration(broker: MosquittoSettings) -> str:
    """Return mosquitto.conf for this machine only, without TLS and access rules, for tests and trials."""
    return _render_file(broker, _LOOPBACK_LISTENER.format(port=broker.port))


def _render_file(broker: MosquittoSettings, listener: str) -> str:
    head = (
        "# per_listener_settings stays false: with it, 2.0.12 to 2.0.18 may forget a listener's access rules.\n"
        f"per_listener_settings false\nuser {broker.user}\n\n"
    )
    limits = broker.limits
    sizes = _LIMITS.format(
        queued_messages=limits.queued_messages, queued_bytes=limits.queued_bytes, connections=limits.connections
    )
    persistence = _PERSISTENCE.format(folder=broker.folder.rstrip("/"), autosave_s=limits.autosave_s)
    return head + listener + sizes + persistence + _LOG


def render_acl_file(workers: Sequence[str] = ("1",)) -> str:
    """Return the access rules; `workers` are the names of the ingest workers."""
    lines = ["# Services, each by its certificate's common name, each with what it needs and no more."]
    for user in service_users(workers):
        lines += _acl_user_lines(user)
    lines += [
        "# A device, by its certificate's common name, reaches its own id and nothing else. It may read its own",
        "# state, by which it can tell that somebody else speaks with a copy of its certificate.",
    ]
    lines += [f"pattern write {TOPIC_ROOT}/+/%u/{channel}" for channel in DEVICE_WRITE_CHANNELS]
    lines += [f"pattern read {TOPIC_ROOT}/+/%u/{channel}" for channel in DEVICE_READ_CHANNELS]
    return "\n".join([*lines, ""])


def _acl_user_lines(user: BrokerUser) -> list[str]:
    topics = [f"topic read {topic}" for topic in user.subscribe] + [f"topic write {topic}" for topic in user.publish]
    return [f"user {user.name}", *topics, ""]
