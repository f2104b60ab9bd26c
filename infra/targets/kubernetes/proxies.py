"""The two proxies in zone dmz: devices' connections to the broker, people's requests to API and Grafana. Pure.

The broker's TLS passes through: it ends at the broker alone. They hold no secret and no certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.own_system import MQTT_PROXY, WEB_PROXY
from infra.targets.kubernetes.monitoring import GRAFANA_PATH
from infra.targets.kubernetes.objects import (
    config_map,
    config_volume,
    disruption_budget,
    service_host,
    service_manifest,
    sha256_of,
    volume_mounts,
)
from infra.targets.kubernetes.pods import PodSpec, deployment, probe
from infra.templates import render_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

CONFIG_FOLDER, CONFIG_FILE = "/etc/motcua", "nginx.conf"
PAGES_HEALTH = "/healthz"


def mqtt_proxy_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the way of devices to the broker."""
    text = mqtt_configuration(
        cluster.plan.workload(MQTT_PROXY).ports["mqtts"],
        f"{service_host(cluster, 'broker', MQTT_PROXY)}:{cluster.plan.workload('broker').ports['mqtts']}",
    )
    return _proxy_manifests(cluster, MQTT_PROXY, text, _probes("mqtts", ""))


def web_proxy_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the way of people to API and Grafana."""
    hosts = {
        name: f"{service_host(cluster, name, WEB_PROXY)}:{cluster.plan.workload(name).ports['http']}"
        for name in ("api", "grafana")
    }
    text = web_configuration(cluster.plan.workload(WEB_PROXY).ports["http"], hosts)
    # A proxy lives as long as it listens: it is not started anew because the API is not there.
    return _proxy_manifests(cluster, WEB_PROXY, text, _probes("http", PAGES_HEALTH))


def mqtt_configuration(port: int, broker: str) -> str:
    """Return nginx.conf of the devices' proxy; `broker` is its `host:port`."""
    return render_template("proxy-mqtt.conf.j2", port=port, broker=broker)


def web_configuration(port: int, hosts: Mapping[str, str]) -> str:
    """Return nginx.conf of people's proxy; `hosts` are the `host:port` of `api` and `grafana`."""
    return render_template("proxy-web.conf.j2", port=port, grafana_path=GRAFANA_PATH, **hosts)


def _probes(port: str, health: str) -> Mapping[str, Manifest]:
    ready = probe("httpGet", port, health) if health else probe("tcpSocket", port)
    return {
        "startupProbe": probe("tcpSocket", port, every_s=5, failures=60),
        "livenessProbe": probe("tcpSocket", port, every_s=20),
        "readinessProbe": ready,
    }


def _proxy_manifests(
    cluster: ClusterSpec, name: str, text: str, probes: Mapping[str, Manifest]
) -> tuple[Manifest, ...]:
    workload = cluster.plan.workload(name)
    settings = config_map(cluster, f"{name}-config", name, {CONFIG_FILE: text})
    pod = PodSpec(
        workload,
        # Its log goes to stderr from its first line on: no other file can be written.
        command=("nginx", "-e", "/dev/stderr", "-c", f"{CONFIG_FOLDER}/{CONFIG_FILE}"),
        volumes=(config_volume("config", f"{name}-config"),),
        mounts=tuple(volume_mounts({"config": CONFIG_FOLDER})),
        ports=workload.ports,
        probes=probes,
        annotations={"motcua.org/configuration": sha256_of(text)},
        spread=True,
    )
    return (
        settings,
        service_manifest(cluster, name, name, workload.ports),
        disruption_budget(cluster, name),
        deployment(cluster, pod, replicas=workload.min_replicas),
    )
