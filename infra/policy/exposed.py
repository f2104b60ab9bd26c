"""Rules over what Kubernetes objects open or show: Services, Ingresses, network rules, ConfigMaps, namespaces. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from infra.policy.leaks import REMEDY, secret_in
from infra.policy.objects import UNKNOWN, Object, is_or_unknown, listed, mapping
from infra.policy.rules import everybody
from infra.policy.values import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.policy.values import Finding

COMPONENT, LEVEL = "app.kubernetes.io/component", "pod-security.kubernetes.io/enforce"
STORE, STORE_PORT = "influxdb", 8086
_SOURCES = "name them: kubernetes.deviceSources, kubernetes.apiSources"


def service(spec: Object, where: str) -> Iterator[Finding]:
    """Name doors that are open to every network, and any that leads to InfluxDB."""
    kind, networks = spec.get("type"), spec.get("loadBalancerSourceRanges")
    bare = kind == "NodePort" or bool(spec.get("externalIPs")) or (kind == "LoadBalancer" and not networks)
    if bare:
        yield finding("balancer-sources", where, "takes connections from every network", _SOURCES)
    elif kind == "LoadBalancer" and any(everybody(str(one)) for one in listed(networks)):
        yield finding("devices-from-anywhere", where, "takes connections from every network", _SOURCES)
    if (bare or kind == "LoadBalancer") and _leads_to_store(spec):
        yield finding("store-closed", where, "offers InfluxDB outside the cluster", "make it ClusterIP")


def _leads_to_store(spec: Object) -> bool:
    ports = [mapping(port) for port in listed(spec.get("ports"))]
    picked = mapping(spec.get("selector")).get(COMPONENT) == STORE
    return picked or any(STORE_PORT in (port.get("port"), port.get("targetPort")) for port in ports)


def ingress(spec: Object, where: str) -> Iterator[Finding]:
    """Name ways in that lead to InfluxDB, or have no TLS."""
    rules = [mapping(mapping(rule).get("http")) for rule in listed(spec.get("rules"))]
    paths = [mapping(path).get("backend") for rule in rules for path in listed(rule.get("paths"))]
    services = [mapping(mapping(one).get("service")) for one in (*paths, spec.get("defaultBackend"))]
    if any(one.get("name") == STORE or mapping(one.get("port")).get("number") == STORE_PORT for one in services):
        yield finding("store-closed", where, "offers InfluxDB outside the cluster", "take the path out")
    if not spec.get("tls"):
        yield finding("listener-tls", where, "serves without TLS", "give it a certificate: tls")


def network(spec: Object, where: str) -> Iterator[Finding]:
    """Name rules that let every network in to everything: they undo the default, which is to let in nobody."""
    for rule in (mapping(one) for one in listed(spec.get("ingress"))):
        sources = [mapping(mapping(one).get("ipBlock")).get("cidr", "") for one in listed(rule.get("from"))]
        anybody = not rule.get("from") or any(everybody(str(one)) for one in sources)
        if anybody and not rule.get("ports"):
            yield finding("open-to-all", where, "lets every network in at every port", "name sources and ports")
        store = mapping(mapping(spec.get("podSelector")).get("matchLabels")).get(COMPONENT) == STORE
        if anybody and (store or any(_port(one) == STORE_PORT for one in listed(rule.get("ports")))):
            yield finding("store-closed", where, "lets every network in to InfluxDB", "name the pods that need it")


def _port(one: object) -> object:
    return mapping(one).get("port")


def texts(whole: Object, where: str) -> Iterator[Finding]:
    """Name secrets in a ConfigMap."""
    data = {**mapping(whole.get("data")), **{k: _decoded(v) for k, v in mapping(whole.get("binaryData")).items()}}
    for name, text in sorted(data.items()):
        what = secret_in(text) if isinstance(text, str) else ""
        if what:
            yield finding("plain-secret", f"{where}, {name}", f"holds {what}", REMEDY)


def _decoded(value: object) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="replace")
    except (ValueError, binascii.Error):
        return ""


def namespace(whole: Object, where: str) -> Iterator[Finding]:
    """Name a namespace in which pods that are not restricted may run."""
    labels = mapping(whole.get("metadata")).get("labels")
    if labels != UNKNOWN and not is_or_unknown(mapping(labels).get(LEVEL), "restricted"):
        yield finding("pod-hardened", where, "takes pods that are not restricted", f"label it {LEVEL}: restricted")
