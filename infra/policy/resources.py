"""Rules over single resources in Pulumi's form: a type token and its properties. Pure; it must not import Pulumi.

A value unknown in a preview is `manifests.UNKNOWN`, and never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.plan.influx import TOKEN_ROLES, TOTALS_TIERS, role_permissions
from infra.plan.values import BucketPermission
from infra.policy.catalogue import new_finding
from infra.policy.cloud.manifests import HOSTED_RULE_IDS, NOTHING_KNOWN, KnownExceptions, check_hosted_manifest
from infra.policy.cloud.openstack import check_hosted_resource
from infra.policy.manifests import UNKNOWN, check_manifest
from infra.policy.rules import is_open_network, retention_problem
from infra.policy.secret_scan import PLAIN_TEXT_REMEDY, secret_kind_in, with_unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.policy.catalogue import Finding

ResourceProps = dict[str, Any]
OWN_TYPE_TOKEN = re.compile(r"pulumi-python:dynamic/motcua[/:](\w+):(\w+)")
_ROLE_TOKEN_NAME = re.compile(rf"({'|'.join(TOKEN_ROLES)})-g\d+")
PUBLIC_PORTS = (80, 443, 8883)
"""Ports that every network may reach: the proxy and the broker, both with TLS."""


def resource_violations(
    kind: str, props: Mapping[str, object], name: str = "", known: KnownExceptions = NOTHING_KNOWN
) -> list[Finding]:
    """Return every breach of one resource; `kind` is its type token, `name` its name in the stack.

    `known` says which exceptions of hosted systems were declared.
    """
    properties = dict(props)
    if kind.startswith("kubernetes:"):
        if "kind" not in properties:
            return []
        return sorted([*check_manifest(properties), *check_hosted_manifest(properties, known)])
    if kind.startswith("openstack:"):
        type_name = kind.rpartition(":")[2]
        rule = _OPENSTACK_CHECKS.get(type_name)
        hosted = list(check_hosted_resource(type_name, properties, name or kind))
        return sorted([*hosted, *(rule(properties, name or kind) if rule else ())])
    own_type = OWN_TYPE_TOKEN.fullmatch(kind)
    rule = _OWN_CHECKS.get(f"{own_type[1]}:{own_type[2]}") if own_type else None
    return sorted(rule(properties, name or kind)) if rule else []


def _check_bucket(props: ResourceProps, where: str) -> Iterator[Finding]:
    name, retention_s = str(props.get("name", "")), props.get("retention_s", 0)
    problem = (
        retention_problem(name, int(retention_s), unlimited=name.endswith("-1d"))
        if isinstance(retention_s, int | float)
        else ""
    )
    if problem:
        yield new_finding("retention", where, problem, "make it longer; 0 means for ever")
    if props.get("allow_shrink") is True:
        yield new_finding("shrink-allowed", where, "allows its retention to be cut", "remove allowShrink after the run")


def _check_authorization(props: ResourceProps, where: str) -> Iterator[Finding]:
    for permission in _as_mappings(props.get("permissions")):
        kind, action = permission.get("type", "buckets"), permission.get("action", "?")
        if kind != "buckets":
            yield new_finding("token-rights", where, f"may {action} all {kind}", "name buckets only")
        elif not permission.get("bucket"):
            yield new_finding("token-rights", where, f"may {action} every bucket", "name the bucket")
    role = _ROLE_TOKEN_NAME.fullmatch(str(props.get("name", "")))
    permissions = {
        BucketPermission(permission["action"], permission["bucket"])
        for permission in _as_mappings(props.get("permissions"))
        if _is_complete(permission)
    }
    if (
        role
        and permissions
        and not any(permissions <= set(role_permissions(role[1], raw)) for raw in _possible_raw_buckets(permissions))
    ):
        yield new_finding("token-rights", where, f"has more rights than {role[1]} needs", "remove the permission")


def _is_complete(permission: ResourceProps) -> bool:
    return (
        isinstance(permission.get("action"), str)
        and isinstance(permission.get("bucket"), str)
        and UNKNOWN not in permission.values()
    )


def _possible_raw_buckets(permissions: set[BucketPermission]) -> set[str]:
    """Return possible names of the raw bucket: a bucket's own name, or that without the suffix of totals."""
    names = {permission.bucket for permission in permissions}
    return names | {name.removesuffix(f"-{width}") for name in names for width in TOTALS_TIERS}


def _check_files(props: ResourceProps, where: str) -> Iterator[Finding]:
    files = props.get("files")
    for path, text in sorted(files.items() if isinstance(files, dict) else ()):
        what = secret_kind_in(text) if isinstance(text, str) and text != UNKNOWN else ""
        if what:
            yield new_finding(
                "plain-secret", f"{where}, {path}", f"holds {what}", f"give it as secret_files; {PLAIN_TEXT_REMEDY}"
            )


def _check_remote(props: ResourceProps, where: str) -> Iterator[Finding]:
    url = str(props.get("url", ""))
    if props.get("allow_insecure_tls") is True or url.startswith("http://"):
        yield new_finding(
            "upstream-tls", where, "is used without a checked certificate", "use https with a checked one"
        )


def _check_group_rule(props: ResourceProps, where: str) -> Iterator[Finding]:
    """Report access from every network to a port that is not public; a rule without a source is for every network."""
    if props.get("direction") != "ingress" or props.get("remoteGroupId"):
        return
    source = str(props.get("remoteIpPrefix") or "0.0.0.0/0")
    first, last = _as_port(props.get("portRangeMin"), 0), _as_port(props.get("portRangeMax"), 65_535)
    if props.get("protocol") in {"icmp", "ipv6-icmp"} or not is_open_network(source):
        return
    if first == last == 8086 or first <= 8086 <= last:
        yield new_finding("store-closed", where, f"opens InfluxDB to {source}", "remove it")
    if not (first == last and first in PUBLIC_PORTS):
        yield new_finding(
            "open-to-all", where, f"opens ports {first}–{last} to {source}", "name the networks that need it"
        )


def _check_port_security(props: ResourceProps, where: str) -> Iterator[Finding]:
    """Report a port or network without port security: no security group applies there."""
    if props.get("portSecurityEnabled") is False:
        yield new_finding("port-security", where, "switches port security off", "remove it; no group applies without")


def _check_instance(props: ResourceProps, where: str) -> Iterator[Finding]:
    what = secret_kind_in(with_unpacked(str(props.get("userData") or "")))
    if what:
        yield new_finding(
            "plain-secret", where, f"holds {what} in its user data", "create it on the machine, or fetch it"
        )


def _check_listener(props: ResourceProps, where: str) -> Iterator[Finding]:
    """Report a listener without sources, and one that is open to every network on a port that is not public."""
    sources, port = props.get("allowedCidrs"), _as_port(props.get("protocolPort"), 0)
    if not sources:
        yield new_finding(
            "balancer-sources", where, "accepts connections from every network", "name them: allowedCidrs"
        )
    wide = isinstance(sources, list) and any(is_open_network(str(source)) for source in sources)
    if wide and port not in PUBLIC_PORTS:
        yield new_finding("open-to-all", where, f"opens port {port} to every network", "name the networks that need it")
    if port == 8086:
        yield new_finding("store-closed", where, "offers InfluxDB outside", "remove it")


def _as_port(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default


def _as_mappings(value: object) -> list[ResourceProps]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_OWN_CHECKS: Mapping[str, Callable[[ResourceProps, str], Iterator[Finding]]] = {
    "influx:Bucket": _check_bucket,
    "influx:Authorization": _check_authorization,
    "influx:Remote": _check_remote,
    "host:Files": _check_files,
}
_OPENSTACK_CHECKS: Mapping[str, Callable[[ResourceProps, str], Iterator[Finding]]] = {
    "SecGroupRule": _check_group_rule,
    "Instance": _check_instance,
    "Network": _check_port_security,
    "Port": _check_port_security,
    "Listener": _check_listener,
}
RESOURCE_RULE_IDS = (
    "retention", "shrink-allowed", "token-rights", "plain-secret", "upstream-tls", "store-closed",
    "open-to-all", "labels", "devices-from-anywhere", "listener-tls", "image-pinned",
    "image-digest", "pod-hardened", "balancer-sources", "port-security", *HOSTED_RULE_IDS,
)  # fmt: skip
"""The rules that a single resource can break; the last ones are those of hosted systems."""
