"""mosquitto in the cluster: one replica with its sessions on a volume. Pure; rights are the plan's.

Devices connect to the public port, services to a second one that network policies close to everyone else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.host import mosquitto
from infra.plan.broker import INGEST_NAME_FORMAT
from infra.plan.pki import INTERNAL_SERVICE
from infra.plan.workloads import SERVICES_PORT
from infra.targets.kubernetes.objects import (
    BROKER_CONFIG,
    BROKER_NODES,
    BROKER_TLS,
    config_map,
    config_volume,
    disruption_budget,
    secret_manifest,
    secret_volume,
    service_account,
    service_manifest,
    sha256_of,
    volume_claim_spec,
    volume_mounts,
)
from infra.targets.kubernetes.pods import PodSpec, probe, stateful_set

if TYPE_CHECKING:
    from infra.plan.values import Workload
    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

CONFIG_FOLDER, TLS_FOLDER, DATA_FOLDER = "/mosquitto/config", "/mosquitto/tls", "/mosquitto/data"
TLS_FILES = {"ca.pem": "caBundle", "crl.pem": "crl", "server.pem": "brokerCertificate", "server.key": "brokerKey"}


def broker_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the broker's manifests."""
    workload = cluster.plan.workload("broker")
    files = config_map(cluster, BROKER_CONFIG, "broker", mosquitto_files(cluster))
    pod = PodSpec(
        workload,
        command=("/usr/sbin/mosquitto", "-c", f"{CONFIG_FOLDER}/mosquitto.conf"),
        volumes=(config_volume("config", BROKER_CONFIG), secret_volume("tls", BROKER_TLS)),
        mounts=tuple(
            volume_mounts({"config": CONFIG_FOLDER, "tls": TLS_FOLDER, "data": DATA_FOLDER}, writable=("data",))
        ),
        ports={**workload.ports, "services": SERVICES_PORT},
        probes=broker_probes(),
        annotations=restart_annotations(cluster, files),
        # Its sessions are written at an orderly stop.
        grace_s=60,
    )
    volumes = {"data": volume_claim_spec(cluster, "broker", workload.volume_gb)}
    return (*broker_base_manifests(cluster, workload), files, stateful_set(cluster, pod, BROKER_NODES, volumes))


def broker_base_manifests(cluster: ClusterSpec, workload: Workload) -> tuple[Manifest, ...]:
    """Return account, certificate secret, and the Services for devices, services and nodes."""
    return (
        service_account(cluster, "broker"),
        secret_manifest(cluster, BROKER_TLS, "broker", TLS_FILES),
        _device_service(cluster, workload),
        service_manifest(cluster, INTERNAL_SERVICE, "broker", {"services": SERVICES_PORT}),
        service_manifest(
            cluster,
            BROKER_NODES,
            "broker",
            {"services": SERVICES_PORT},
            clusterIP="None",
            publishNotReadyAddresses=True,
        ),
        disruption_budget(cluster, "broker"),
    )


def _device_service(cluster: ClusterSpec, workload: Workload) -> Manifest:
    """Return the Service for devices: open to the networks in the options, or only inside the cluster without any."""
    sources = list(cluster.options.kubernetes.device_sources)
    # Local preserves the source address, by which the network policies decide.
    outside = {"type": "LoadBalancer", "loadBalancerSourceRanges": sources, "externalTrafficPolicy": "Local"}
    return service_manifest(cluster, "broker", "broker", workload.ports, **(outside if sources else {}))


def broker_probes() -> dict[str, Manifest]:
    """Return the probes: the broker is alive and ready while it accepts connections."""
    return {
        "startupProbe": probe("tcpSocket", "services", every_s=5, failures=60),
        "livenessProbe": probe("tcpSocket", "services", every_s=20),
        "readinessProbe": probe("tcpSocket", "services"),
    }


def restart_annotations(cluster: ClusterSpec, files: Manifest) -> dict[str, str]:
    """Return the annotations whose change restarts it: configuration, certificate, authorities, revocation list."""
    pki = cluster.plan.pki
    own = next((certificate for certificate in pki.certificates if certificate.name == "broker"), None)
    return {
        "motcua.org/configuration": sha256_of(*(text for pair in files["data"].items() for text in pair)),
        "motcua.org/certificate": f"g{own.generation if own else 0}",
        "motcua.org/authorities": "-".join(f"g{certificate.generation}" for certificate in pki.authorities),
        "motcua.org/revocations": str(pki.crl_number),
    }


def ingest_workers(cluster: ClusterSpec) -> tuple[str, ...]:
    """Return the names of the ingest workers that have rights in the plan."""
    prefix = INGEST_NAME_FORMAT.format("")
    return tuple(user.name.removeprefix(prefix) for user in cluster.plan.broker.users if user.name.startswith(prefix))


def mosquitto_files(cluster: ClusterSpec) -> dict[str, str]:
    """Return mosquitto's configuration and access rules, name → text."""
    port = cluster.plan.workload("broker").ports["mqtts"]
    limits = mosquitto.MosquittoLimits(connections=cluster.plan.broker.connections)
    mosquitto_settings = mosquitto.MosquittoSettings(DATA_FOLDER, port=port, limits=limits)
    tls = mosquitto.TlsFiles.in_folder(TLS_FOLDER)
    return {
        "mosquitto.conf": mosquitto.render_configuration(
            mosquitto_settings, tls, f"{CONFIG_FOLDER}/acl", SERVICES_PORT
        ),
        "acl": mosquitto.render_acl_file(ingest_workers(cluster)),
    }
