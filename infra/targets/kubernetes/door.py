"""The door by which people reach the API: a route of the Gateway API, or Ingresses of an older controller. Pure.

`/metrics` and all below it stay closed to the outside: Prometheus scrapes the pods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.objects import API_TLS_SECRET, manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

GATEWAY_GROUP = "gateway.networking.k8s.io"
HTTPS_PORT = 443
METRICS_PATH = "/metrics"


def door_manifests(cluster: ClusterSpec) -> tuple[Manifest, ...]:
    """Return the objects of the door that the stack's options choose."""
    if cluster.options.kubernetes.exposure == "ingress":
        return (_api_ingress(cluster), _block_metrics_ingress(cluster))
    if cluster.options.kubernetes.gateway_section:
        return (_api_route(cluster),)
    return (_listeners(cluster), _api_route(cluster))


def _gateway_reference(cluster: ClusterSpec) -> Manifest:
    options = cluster.options.kubernetes
    return {
        "group": GATEWAY_GROUP, "kind": "Gateway", "name": options.gateway_name, "namespace": options.gateway_namespace,
    }  # fmt: skip


def _listeners(cluster: ClusterSpec) -> Manifest:
    """Return the API's own listener at the shared gateway; its certificate is the operator's, public or internal."""
    listener = {
        "name": "https",
        "hostname": cluster.options.kubernetes.api_host,
        "port": HTTPS_PORT,
        "protocol": "HTTPS",
        "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": API_TLS_SECRET}]},
        "allowedRoutes": {
            "kinds": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}],
            "namespaces": {"from": "Same"},
        },
    }
    spec = {"parentRef": _gateway_reference(cluster), "listeners": [listener]}
    return manifest(cluster, f"{GATEWAY_GROUP}/v1 ListenerSet", "api", "api", spec=spec)


def _api_route(cluster: ClusterSpec) -> Manifest:
    """Return the route: all pages, without a limit of time because live data are a stream; `/metrics` leads to `/`.

    A route cannot refuse a path; the longer prefix wins, so that nothing below `/metrics` reaches the API.
    """
    options = cluster.options.kubernetes
    own: Manifest = {"group": GATEWAY_GROUP, "kind": "ListenerSet", "name": "api"}
    parent = _gateway_reference(cluster) | {"sectionName": options.gateway_section} if options.gateway_section else own
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}, "statusCode": 302}
    closed = {
        "matches": [{"path": {"type": "PathPrefix", "value": METRICS_PATH}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
    }
    pages = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "timeouts": {"request": "0s"},
        "backendRefs": [{"kind": "Service", "name": "api", "port": cluster.plan.workload("api").ports["http"]}],
    }
    spec = {"parentRefs": [parent], "hostnames": [options.api_host], "rules": [closed, pages]}
    return manifest(cluster, f"{GATEWAY_GROUP}/v1 HTTPRoute", "api", "api", spec=spec)


def _api_ingress(cluster: ClusterSpec) -> Manifest:
    """Return the API's Ingress; its certificate is the operator's, public or internal."""
    sources = cluster.options.kubernetes.api_sources
    # Live data are a stream: they must not be buffered.
    notes = {"ssl-redirect": "true", "proxy-buffering": "off", "proxy-read-timeout": "3600"}
    if sources:
        notes["whitelist-source-range"] = ",".join(sources)
    return _ingress_for(cluster, "api", "/", notes)


def _block_metrics_ingress(cluster: ClusterSpec) -> Manifest:
    """Return the Ingress that closes `/metrics` and all below it to the outside: Prometheus scrapes the pods.

    Every address is denied, also forged ones; controllers before 1.4 know only the allow list.
    """
    return _ingress_for(
        cluster, "api-metrics", METRICS_PATH,
        {"ssl-redirect": "true", "denylist-source-range": "0.0.0.0/0,::/0", "whitelist-source-range": "127.0.0.1/32"},
    )  # fmt: skip


def _ingress_for(cluster: ClusterSpec, name: str, path: str, notes: Mapping[str, str]) -> Manifest:
    """Return an Ingress to the API for a path and all below it; `notes` are the controller's settings."""
    host = cluster.options.kubernetes.api_host
    backend = {"service": {"name": "api", "port": {"name": "http"}}}
    spec = {
        "ingressClassName": "nginx",
        "tls": [{"hosts": [host], "secretName": API_TLS_SECRET}],
        "rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}],
    }
    ingress = manifest(cluster, "networking.k8s.io/v1 Ingress", name, "api", spec=spec)
    ingress["metadata"]["annotations"] = {f"nginx.ingress.kubernetes.io/{key}": value for key, value in notes.items()}
    return ingress
