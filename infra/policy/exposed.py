"""Rules over what Kubernetes objects open or show: Services, Ingresses, network rules, ConfigMaps, namespaces. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from infra.policy.leaks import PLAIN_TEXT_REMEDY, secret_kind_in
from infra.policy.objects import UNKNOWN, KubernetesObject, as_list, as_mapping, equals_or_unknown
from infra.policy.rules import is_open_network
from infra.policy.values import new_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.policy.values import Finding

COMPONENT_LABEL, POD_SECURITY_LABEL = "app.kubernetes.io/component", "pod-security.kubernetes.io/enforce"
STORE_COMPONENT, STORE_PORT = "influxdb", 8086
_SOURCES_REMEDY = "name them: kubernetes.deviceSources, kubernetes.apiSources"


def check_service(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name doors that are open to every network, and any that leads to InfluxDB."""
    kind, networks = spec.get("type"), spec.get("loadBalancerSourceRanges")
    bare = kind == "NodePort" or bool(spec.get("externalIPs")) or (kind == "LoadBalancer" and not networks)
    if bare:
        yield new_finding("balancer-sources", where, "takes connections from every network", _SOURCES_REMEDY)
    elif kind == "LoadBalancer" and any(is_open_network(str(source)) for source in as_list(networks)):
        yield new_finding("devices-from-anywhere", where, "takes connections from every network", _SOURCES_REMEDY)
    if (bare or kind == "LoadBalancer") and _exposes_store(spec):
        yield new_finding("store-closed", where, "offers InfluxDB outside the cluster", "make it ClusterIP")


def _exposes_store(spec: KubernetesObject) -> bool:
    ports = [as_mapping(port) for port in as_list(spec.get("ports"))]
    picked = as_mapping(spec.get("selector")).get(COMPONENT_LABEL) == STORE_COMPONENT
    return picked or any(STORE_PORT in (port.get("port"), port.get("targetPort")) for port in ports)


def check_ingress(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name ways in that lead to InfluxDB, or have no TLS."""
    rules = [as_mapping(as_mapping(rule).get("http")) for rule in as_list(spec.get("rules"))]
    paths = [as_mapping(path).get("backend") for rule in rules for path in as_list(rule.get("paths"))]
    services = [as_mapping(as_mapping(backend).get("service")) for backend in (*paths, spec.get("defaultBackend"))]
    if any(
        backend.get("name") == STORE_COMPONENT or as_mapping(backend.get("port")).get("number") == STORE_PORT
        for backend in services
    ):
        yield new_finding("store-closed", where, "offers InfluxDB outside the cluster", "take the path out")
    if not spec.get("tls"):
        yield new_finding("listener-tls", where, "serves without TLS", "give it a certificate: tls")


def check_network_policy(spec: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name rules that let every network in to everything: they undo the default, which is to let in nobody."""
    for rule in (as_mapping(entry) for entry in as_list(spec.get("ingress"))):
        sources = [as_mapping(as_mapping(entry).get("ipBlock")).get("cidr", "") for entry in as_list(rule.get("from"))]
        anybody = not rule.get("from") or any(is_open_network(str(entry)) for entry in sources)
        if anybody and not rule.get("ports"):
            yield new_finding("open-to-all", where, "lets every network in at every port", "name sources and ports")
        store = (
            as_mapping(as_mapping(spec.get("podSelector")).get("matchLabels")).get(COMPONENT_LABEL) == STORE_COMPONENT
        )
        if anybody and (store or any(_port_of_rule(entry) == STORE_PORT for entry in as_list(rule.get("ports")))):
            yield new_finding("store-closed", where, "lets every network in to InfluxDB", "name the pods that need it")


def _port_of_rule(entry: object) -> object:
    return as_mapping(entry).get("port")


def check_config_map(manifest: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name secrets in a ConfigMap."""
    data = {
        **as_mapping(manifest.get("data")),
        **{k: _decode_base64(v) for k, v in as_mapping(manifest.get("binaryData")).items()},
    }
    for name, text in sorted(data.items()):
        what = secret_kind_in(text) if isinstance(text, str) else ""
        if what:
            yield new_finding("plain-secret", f"{where}, {name}", f"holds {what}", PLAIN_TEXT_REMEDY)


def _decode_base64(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="replace")
    except (ValueError, binascii.Error):
        return ""


def check_namespace(manifest: KubernetesObject, where: str) -> Iterator[Finding]:
    """Name a namespace in which pods that are not restricted may run."""
    labels = as_mapping(manifest.get("metadata")).get("labels")
    if labels != UNKNOWN and not equals_or_unknown(as_mapping(labels).get(POD_SECURITY_LABEL), "restricted"):
        yield new_finding(
            "pod-hardened", where, "takes pods that are not restricted", f"label it {POD_SECURITY_LABEL}: restricted"
        )
