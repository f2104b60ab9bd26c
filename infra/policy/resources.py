"""Rules over single resources as Pulumi sees them: a type token and its properties. Pure; knows no Pulumi.

A value that a preview does not know yet is `manifests.UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.plan.influx import ROLES, TOTALS, rights
from infra.plan.values import Permission
from infra.policy.leaks import REMEDY, secret_in, unpacked
from infra.policy.manifests import examined
from infra.policy.objects import UNKNOWN
from infra.policy.rules import everybody, too_short
from infra.policy.values import finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.policy.values import Finding

Props = dict[str, Any]
OURS = re.compile(r"pulumi-python:dynamic/motcua[/:](\w+):(\w+)")
_ROLE = re.compile(rf"({'|'.join(ROLES)})-g\d+")
PUBLIC = (80, 443, 8883)
"""Ports that every network may reach: the proxy and the broker, both with TLS."""


def breaches(kind: str, props: Mapping[str, object], name: str = "") -> list[Finding]:
    """Return every breach of one resource; `kind` is its type token, `name` its name in the stack."""
    given = dict(props)
    if kind.startswith("kubernetes:"):
        return sorted(examined(given)) if "kind" in given else []
    if kind.startswith("openstack:"):
        rule = _OPENSTACK.get(kind.rpartition(":")[2])
    else:
        ours = OURS.fullmatch(kind)
        rule = _OURS.get(f"{ours[1]}:{ours[2]}") if ours else None
    return sorted(rule(given, name or kind)) if rule else []


def _bucket(props: Props, where: str) -> Iterator[Finding]:
    name, kept = str(props.get("name", "")), props.get("retention_s", 0)
    problem = too_short(name, int(kept), for_ever=name.endswith("-1d")) if isinstance(kept, int | float) else ""
    if problem:
        yield finding("retention", where, problem, "keep it longer; 0 keeps for ever")
    if props.get("allow_shrink") is True:
        yield finding("shrink-allowed", where, "lets its retention be cut", "take allowShrink out after the run")


def _authorization(props: Props, where: str) -> Iterator[Finding]:
    for one in _maps(props.get("permissions")):
        kind, action = one.get("type", "buckets"), one.get("action", "?")
        if kind != "buckets":
            yield finding("token-rights", where, f"may {action} all {kind}", "name buckets only")
        elif not one.get("bucket"):
            yield finding("token-rights", where, f"may {action} every bucket", "name the bucket")
    role = _ROLE.fullmatch(str(props.get("name", "")))
    held = {Permission(one["action"], one["bucket"]) for one in _maps(props.get("permissions")) if _whole(one)}
    if role and held and not any(held <= set(rights(role[1], raw)) for raw in _raw(held)):
        yield finding("token-rights", where, f"may more than {role[1]} needs", "take the right away")


def _whole(one: Props) -> bool:
    return isinstance(one.get("action"), str) and isinstance(one.get("bucket"), str) and UNKNOWN not in one.values()


def _raw(held: set[Permission]) -> set[str]:
    """Return what the raw bucket may be called: a bucket's own name, or that without a total's ending."""
    names = {one.bucket for one in held}
    return names | {name.removesuffix(f"-{width}") for name in names for width in TOTALS}


def _files(props: Props, where: str) -> Iterator[Finding]:
    files = props.get("files")
    for path, text in sorted(files.items() if isinstance(files, dict) else ()):
        what = secret_in(text) if isinstance(text, str) and text != UNKNOWN else ""
        if what:
            yield finding("plain-secret", f"{where}, {path}", f"holds {what}", f"give it as secret_files; {REMEDY}")


def _remote(props: Props, where: str) -> Iterator[Finding]:
    url = str(props.get("url", ""))
    if props.get("allow_insecure_tls") is True or url.startswith("http://"):
        yield finding("upstream-tls", where, "goes without a checked certificate", "use https with a checked one")


def _group_rule(props: Props, where: str) -> Iterator[Finding]:
    """Name a way in from everywhere to a port that is not public; without a source it is from everywhere."""
    if props.get("direction") != "ingress" or props.get("remoteGroupId"):
        return
    source = str(props.get("remoteIpPrefix") or "0.0.0.0/0")
    first, last = _port(props.get("portRangeMin"), 0), _port(props.get("portRangeMax"), 65_535)
    if props.get("protocol") in {"icmp", "ipv6-icmp"} or not everybody(source):
        return
    if first == last == 8086 or first <= 8086 <= last:
        yield finding("store-closed", where, f"opens InfluxDB to {source}", "take it out")
    if not (first == last and first in PUBLIC):
        yield finding("open-to-all", where, f"opens ports {first}–{last} to {source}", "name the networks that need it")


def _instance(props: Props, where: str) -> Iterator[Finding]:
    what = secret_in(unpacked(str(props.get("userData") or "")))
    if what:
        yield finding("plain-secret", where, f"holds {what} in its user data", "let the machine make it, or fetch it")


def _listener(props: Props, where: str) -> Iterator[Finding]:
    """Name a load balancer's door without sources, and one that is open to everybody and not public."""
    sources, port = props.get("allowedCidrs"), _port(props.get("protocolPort"), 0)
    if not sources:
        yield finding("balancer-sources", where, "takes connections from every network", "name them: allowedCidrs")
    wide = isinstance(sources, list) and any(everybody(str(one)) for one in sources)
    if wide and port not in PUBLIC:
        yield finding("open-to-all", where, f"opens port {port} to every network", "name the networks that need it")
    if port == 8086:
        yield finding("store-closed", where, "offers InfluxDB outside", "take it out")


def _port(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default


def _maps(value: object) -> list[Props]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


_OURS: Mapping[str, Callable[[Props, str], Iterator[Finding]]] = {
    "influx:Bucket": _bucket,
    "influx:Authorization": _authorization,
    "influx:Remote": _remote,
    "host:Files": _files,
}
_OPENSTACK: Mapping[str, Callable[[Props, str], Iterator[Finding]]] = {
    "SecGroupRule": _group_rule,
    "Instance": _instance,
    "Listener": _listener,
}
EXAMINED = (
    "retention", "shrink-allowed", "token-rights", "plain-secret", "upstream-tls", "store-closed",
    "open-to-all", "labels", "devices-from-anywhere", "listener-tls", "image-pinned",
    "image-digest", "pod-hardened", "balancer-sources",
)  # fmt: skip
"""The rules that single resources can break."""
