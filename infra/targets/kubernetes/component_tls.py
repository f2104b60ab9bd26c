"""TLS between Motcua's components where they are a hosted system: files of a server, the authority of callers. Pure.

Whether a component serves TLS is the plan's; it must not decide that. Certificates are cert-manager's, see
`cloud.encryption`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.targets.kubernetes.objects import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.targets.kubernetes.objects import ClusterSpec, Manifest

AUTHORITY_NAME, AUTHORITY_KEY = "internal-authority", "ca.crt"
"""The ConfigMap of a namespace with the certificates of the authority inside the cluster, and its key."""
TLS_FOLDER = "/etc/motcua/tls"
CERTIFICATE_FILE, KEY_FILE = "tls.crt", "tls.key"
AUTHORITY_PATH = f"{TLS_FOLDER}/{AUTHORITY_KEY}"
CERTIFICATE_PATH, KEY_PATH = (f"{TLS_FOLDER}/{name}" for name in (CERTIFICATE_FILE, KEY_FILE))
INSIDE_VOLUME = "inside-tls"
"""Not `tls`, which is the volume of a role's certificate for the broker."""


def certificate_secret(name: str) -> str:
    """Return the Certificate and the Secret of a component inside the cluster; no id has a dot."""
    return f"{name}.tls"


def serves_tls(cluster: ClusterSpec, component: str) -> bool:
    """Return whether a component serves TLS with a certificate of the authority inside."""
    return cluster.plan.workload(component).tls


def scheme_of(cluster: ClusterSpec, component: str) -> str:
    """Return the scheme of a component's addresses."""
    return "https" if serves_tls(cluster, component) else "http"


def probe_scheme(cluster: ClusterSpec, component: str) -> str:
    """Return the scheme of a component's probes, empty for HTTP; hosts check no certificate."""
    return "HTTPS" if serves_tls(cluster, component) else ""


def web_configuration() -> dict[str, object]:
    """Return the file by which Prometheus and Alertmanager serve TLS; they read the certificate at each connection."""
    server = {"cert_file": CERTIFICATE_PATH, "key_file": KEY_PATH, "min_version": "TLS12"}
    return {"tls_server_config": server}


def authority_annotation(cluster: ClusterSpec, callees: Iterable[str]) -> dict[str, str]:
    """Return the annotation whose change restarts a caller, for one that reads the authority at its start only."""
    if not any(serves_tls(cluster, one) for one in callees):
        return {}
    return {"motcua.org/internal-authority": sha256_of(cluster.options.cloud.internal_authority)[:16]}


def inside_tls_paths(cluster: ClusterSpec, component: str, callees: Iterable[str] = ()) -> dict[str, str]:
    """Return {volume: path} of the files of `inside_tls_volumes`, empty where there is none."""
    is_needed = any(serves_tls(cluster, one) for one in (component, *callees))
    return {INSIDE_VOLUME: TLS_FOLDER} if is_needed else {}


def inside_tls_volumes(cluster: ClusterSpec, component: str, callees: Iterable[str] = ()) -> tuple[Manifest, ...]:
    """Return the volume with the authority's certificates, and its own with the key for a component that serves TLS.

    Empty where neither the component nor one of the `callees` serves TLS.
    """
    if not inside_tls_paths(cluster, component, callees):
        return ()
    sources = [_volume_source("configMap", AUTHORITY_NAME, (AUTHORITY_KEY,))]
    if serves_tls(cluster, component):
        sources.append(_volume_source("secret", certificate_secret(component), (CERTIFICATE_FILE, KEY_FILE)))
    return ({"name": INSIDE_VOLUME, "projected": {"defaultMode": 0o440, "sources": sources}},)


def _volume_source(kind: str, name: str, files: Iterable[str]) -> Manifest:
    return {kind: {"name": name, "items": [{"key": file, "path": file} for file in files]}}
