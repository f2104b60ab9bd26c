"""mosquitto in the cluster: one replica whose sessions lie on a volume. Pure; rights come from the plan alone.

Devices meet it on the public port, services on a second one that network rules close for everybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host import mosquitto
from infra.plan.broker import INGEST
from infra.plan.pki import INTERNAL
from infra.targets.kubernetes.names import BROKER_CONFIG, BROKER_TLS, NODES, SERVICES_PORT
from infra.targets.kubernetes.objects import (
    account,
    claim,
    config,
    digest,
    disruption,
    mounted_config,
    mounted_secret,
    mounts,
    secret,
    service,
)
from infra.targets.kubernetes.pods import Pod, probe, stateful

if TYPE_CHECKING:
    from infra.plan.values import Workload
    from infra.targets.kubernetes.objects import Cluster, Manifest

CONFIG, TLS, DATA = "/mosquitto/config", "/mosquitto/tls", "/mosquitto/data"
FILES = {"ca.pem": "caBundle", "crl.pem": "crl", "server.pem": "brokerCertificate", "server.key": "brokerKey"}


def broker(cluster: Cluster) -> tuple[Manifest, ...]:
    """Return everything that the broker is made of."""
    workload = cluster.plan.workload("broker")
    files = config(cluster, BROKER_CONFIG, "broker", documents(cluster))
    pod = Pod(
        workload,
        command=("/usr/sbin/mosquitto", "-c", f"{CONFIG}/mosquitto.conf"),
        volumes=(mounted_config("config", BROKER_CONFIG), mounted_secret("tls", BROKER_TLS)),
        mounts=tuple(mounts({"config": CONFIG, "tls": TLS, "data": DATA}, writable=("data",))),
        ports={**workload.ports, "services": SERVICES_PORT},
        probes=probes(),
        annotations=restarts(cluster, files),
        # Its sessions are written at a proper stop.
        grace_s=60,
    )
    volumes = {"data": claim(cluster, workload.volume_gb)}
    return (*around(cluster, workload), files, stateful(cluster, pod, NODES, volumes))


def around(cluster: Cluster, workload: Workload) -> tuple[Manifest, ...]:
    """Return what any broker has: account, certificate, the addresses of devices, services and nodes."""
    return (
        account(cluster, "broker"),
        secret(cluster, BROKER_TLS, "broker", FILES),
        _public(cluster, workload),
        service(cluster, INTERNAL, "broker", {"services": SERVICES_PORT}),
        service(cluster, NODES, "broker", {"services": SERVICES_PORT}, clusterIP="None", publishNotReadyAddresses=True),
        disruption(cluster, "broker"),
    )


def _public(cluster: Cluster, workload: Workload) -> Manifest:
    """Return the devices' door: open to the networks that the stack names, to none outside while it names none."""
    sources = list(cluster.options.kubernetes.device_sources)
    # Local keeps the caller's address, by which the network rules decide.
    outside = {"type": "LoadBalancer", "loadBalancerSourceRanges": sources, "externalTrafficPolicy": "Local"}
    return service(cluster, "broker", "broker", workload.ports, **(outside if sources else {}))


def probes() -> dict[str, Manifest]:
    """Return that it lives and serves while it takes connections."""
    return {
        "startupProbe": probe("tcpSocket", "services", every_s=5, failures=60),
        "livenessProbe": probe("tcpSocket", "services", every_s=20),
        "readinessProbe": probe("tcpSocket", "services"),
    }


def restarts(cluster: Cluster, files: Manifest) -> dict[str, str]:
    """Return what makes it start anew: another configuration, certificate or revocation list."""
    pki = cluster.plan.pki
    own = next((one for one in pki.certificates if one.name == "broker"), None)
    return {
        "motcua.org/configuration": digest(*(text for pair in files["data"].items() for text in pair)),
        "motcua.org/certificate": f"g{own.generation if own else 0}",
        "motcua.org/authorities": "-".join(f"g{one.generation}" for one in pki.authorities),
        "motcua.org/revocations": str(pki.crl_number),
    }


def workers(cluster: Cluster) -> tuple[str, ...]:
    """Return the names of the ingest workers that the plan gives rights."""
    prefix = INGEST.format("")
    return tuple(one.name.removeprefix(prefix) for one in cluster.plan.broker.users if one.name.startswith(prefix))


def documents(cluster: Cluster) -> dict[str, str]:
    """Return its configuration and access rules, name → text."""
    port = cluster.plan.workload("broker").ports["mqtts"]
    limits = mosquitto.Limits(connections=cluster.plan.broker.connections)
    own = mosquitto.Broker(DATA, port=port, limits=limits)
    tls = mosquitto.Tls(*(f"{TLS}/{name}" for name in ("ca.pem", "server.pem", "server.key", "crl.pem")))
    return {
        "mosquitto.conf": mosquitto.configuration(own, tls, f"{CONFIG}/acl", SERVICES_PORT),
        "acl": mosquitto.access(workers(cluster)),
    }
