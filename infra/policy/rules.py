"""Rules over a plan and its options. Pure: no Pulumi, no server, no files."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.config.options import STAGES_WITH_OWN_ROOT, KubernetesOptions
from infra.plan.broker import INGEST_NAME_FORMAT, MONITOR_NAME, PROVISION_NAME, ROLLUP_NAME
from infra.plan.influx import TOKEN_ROLES, role_permissions
from infra.policy.catalogue import new_finding
from telemetry.core.protocol.topics import topic_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.plan.values import BrokerUser, CertificatePlan, TokenPlan
    from infra.policy.catalogue import Finding

DAY_S = 86_400
MIN_RETENTION_DAYS = 30
"""How long a device may be offline: events and totals are stored at least that long."""
MIN_CERTIFICATE_LIFE = timedelta(days=14)
OUTSIDE_PARTIES = frozenset({"devices", "people", "national"})
REQUIRED_LABELS = (
    "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "motcua.org/province", "motcua.org/stage",
    "motcua.org/owner", "motcua.org/data-class",
)  # fmt: skip
DIGEST_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")
_INGEST_PATTERN = re.compile(INGEST_NAME_FORMAT.format(r"\d+"))
_ALLOWED_WILDCARDS = {
    ROLLUP_NAME: (set(), {topic_filter("state")}),
    PROVISION_NAME: ({topic_filter("config"), topic_filter("command")}, set()),
    MONITOR_NAME: (set(), {"$SYS/broker/#"}),
}


def check_plan(plan: StackPlan, options: StackOptions, today: date | None = None) -> list[Finding]:
    """Return every breach, sorted; certificates' remaining life is checked on the options' day, or else on `today`."""
    day = options.today or today
    violations = [
        *check_listeners(plan), *check_retention(plan), *check_labels(plan), *check_tokens(plan),
        *check_users(plan.broker.users),
        *check_devices(plan),
        *(check_certificates(plan, day) if day else ()), *check_root(options), *check_store(plan, options),
        *check_sources(options),
        *check_upstream(plan), *check_images(plan, options),
    ]  # fmt: skip
    return sorted(violations)


def is_loopback(address: str) -> bool:
    """Return whether an address is of this machine only; an empty one means every address."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def check_listeners(plan: StackPlan) -> Iterator[Finding]:
    """Report public listeners without TLS or certificates, and those that accept anonymous clients."""
    for listener in plan.broker.listeners:
        where = f"listener {listener.bind or '*'}:{listener.port}"
        if not is_loopback(listener.bind) and not (listener.tls and listener.client_certificates):
            yield new_finding("listener-tls", where, "is public without TLS and client certificates", "switch both on")
        if listener.anonymous:
            yield new_finding("listener-anonymous", where, "accepts anonymous clients", "switch anonymous off")


def check_retention(plan: StackPlan) -> Iterator[Finding]:
    """Report buckets whose retention is too short."""
    for bucket in plan.influx.buckets:
        problem = retention_problem(bucket.name, bucket.retention_s, unlimited=bucket.tier == "1d")
        if problem:
            yield new_finding("retention", f"bucket {bucket.name}", problem, "make it longer; 0 means for ever")


def retention_problem(name: str, retention_s: int, *, unlimited: bool) -> str:
    """Return the problem of a retention, s, or an empty text; day totals (`unlimited`) never expire."""
    if unlimited and retention_s != 0:
        return f"{name} holds day totals and must never expire, not after {retention_s} s"
    if 0 < retention_s < MIN_RETENTION_DAYS * DAY_S:
        return f"has a retention of {retention_s} s, less than {MIN_RETENTION_DAYS} days"
    return ""


def check_labels(plan: StackPlan) -> Iterator[Finding]:
    """Report labels that are missing or empty."""
    for name in REQUIRED_LABELS:
        if not plan.labels.get(name):
            yield new_finding("labels", "stack", f"has no label {name}", "give it a value")


def check_tokens(plan: StackPlan) -> Iterator[Finding]:
    """Report tokens with more rights than their role needs, or on buckets outside the plan."""
    raw = next((bucket.name for bucket in plan.influx.buckets if bucket.tier == "raw"), "")
    bucket_names = {bucket.name for bucket in plan.influx.buckets}
    for token in plan.influx.tokens:
        problem = _excess_permission(token, raw, bucket_names)
        if problem:
            yield new_finding("token-rights", f"token {token.name}", problem, "remove the permission")


def _excess_permission(token: TokenPlan, raw: str, bucket_names: set[str]) -> str:
    if token.role not in TOKEN_ROLES:
        return f"has role {token.role!r}, which needs no token"
    for permission in token.permissions:
        if permission.bucket not in bucket_names:
            return (
                f"may {permission.action} {permission.bucket or 'all buckets'!r}, which is not a bucket of this stack"
            )
    more = sorted(set(token.permissions) - set(role_permissions(token.role, raw)))
    return "".join(
        f"may {permission.action} {permission.bucket}, which {token.role} does not need" for permission in more[:1]
    )


def check_users(broker_users: Sequence[BrokerUser]) -> Iterator[Finding]:
    """Report services with wildcard topics that they do not need; an unknown service may have none."""
    for user in broker_users:
        publish, subscribe = allowed_wildcards(user.name)
        excess = sorted({*_excess_topics(user.publish, publish), *_excess_topics(user.subscribe, subscribe)})
        if excess:
            problem = f"reaches {', '.join(excess)}, which it does not need"
            yield new_finding("broker-rights", f"broker user {user.name}", problem, "remove the topics")


def allowed_wildcards(user: str) -> tuple[set[str], set[str]]:
    """Return the wildcard filters that a service may publish and subscribe to; none for an unknown one."""
    if _INGEST_PATTERN.fullmatch(user):
        return {topic_filter("receipt")}, {topic_filter("up")}
    return _ALLOWED_WILDCARDS.get(user, (set(), set()))


def _excess_topics(filters: Iterable[str], allowed: set[str]) -> list[str]:
    return [topic for topic in filters if topic not in allowed and has_wildcard(topic)]


def has_wildcard(topic: str) -> bool:
    """Return whether a filter matches more than one device's topics."""
    return "#" in topic or "+" in topic


def check_devices(plan: StackPlan) -> Iterator[Finding]:
    """Report devices whose id would match others' topics, or is a service's name."""
    services = {user.name for user in plan.broker.users}
    for access in plan.broker.devices:
        problem = (
            "has an id that is a wildcard"
            if has_wildcard(access.id) or has_wildcard(access.centre) or "/" in access.id
            else ""
        )
        problem = problem or ("has a service's name" if access.id in services else "")
        if problem:
            yield new_finding("broker-rights", f"device {access.id}", problem, "give it an id of its own")


def check_certificates(plan: StackPlan, day: date) -> Iterator[Finding]:
    """Report certificates and revocation lists that are not valid, or expire within a fortnight (a list: a day)."""
    ends = {"revocation list": (plan.pki.crl_from, plan.pki.crl_until, timedelta(days=1))}
    ends |= {
        f"certificate {certificate.name} g{certificate.generation}": (
            certificate.not_before,
            certificate.not_after,
            MIN_CERTIFICATE_LIFE,
        )
        for certificate in _certificates_in_use(plan)
    }
    for where, (first, last, least) in ends.items():
        if not first <= day or last - day < least:
            problem = f"is valid from {first} until {last}, which is too short on {day}"
            yield new_finding("certificate-life", where, problem, "make certificateDays or overlapDays longer")


def _certificates_in_use(plan: StackPlan) -> tuple[CertificatePlan, ...]:
    """Return the certificates in use; an authority before the newest only remains until its certificates expire."""
    return (*plan.pki.authorities[:1], *plan.pki.certificates)


def check_root(options: StackOptions) -> Iterator[Finding]:
    """Report a stack whose stage requires the operator's root, and that has none."""
    if options.stage in STAGES_WITH_OWN_ROOT and not options.pki.root_certificate:
        problem = "has no root certificate of its own"
        yield new_finding(
            "own-root", f"stage {options.stage}", problem, "make one with `motcua ca root` and keep its key offline"
        )


def check_store(plan: StackPlan, options: StackOptions) -> Iterator[Finding]:
    """Report outside access to InfluxDB, a store URL without TLS over a network, and a retention that may shrink."""
    for flow in plan.flows:
        if flow.target == "influxdb" and flow.source in OUTSIDE_PARTIES:
            yield new_finding(
                "store-closed", f"flow {flow.source} → influxdb", "opens InfluxDB to the outside", "close it"
            )
    url = urlsplit(plan.influx.url)
    if url.scheme == "http" and options.target != "openstack" and not is_loopback(url.hostname or ""):
        yield new_finding("store-tls", plan.influx.url, "carries tokens in plain text", "use https, or a tunnel")
    if options.influx.allow_shrink:
        yield new_finding(
            "shrink-allowed", "influx.allowShrink", "allows a retention to be cut", "remove it after the run"
        )


def check_sources(options: StackOptions) -> Iterator[Finding]:
    """Report source networks that are open to everyone."""
    for network in options.openstack.admin_sources:
        if is_open_network(network):
            remedy = "name the operators' network"
            yield new_finding("open-to-all", "openstack.adminSources", f"{network} is open to everyone", remedy)
    target_options = options.kubernetes if options.target == "kubernetes" else options.openstack
    for network in target_options.device_sources:
        if is_open_network(network):
            where, remedy = f"{options.target}.deviceSources", "name the centres' networks"
            yield new_finding("devices-from-anywhere", where, f"{network} is open to everyone", remedy)


def is_open_network(network: str) -> bool:
    """Return whether a network is the whole internet, or so large that no organisation owns it."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Network):
        return parsed.prefixlen < 8
    return parsed.prefixlen < 16 and not parsed.subnet_of(_PRIVATE_IPV6)


def check_upstream(plan: StackPlan) -> Iterator[Finding]:
    """Report a connection to the national copy without a checked certificate."""
    national = plan.influx.upstream
    if national is None:
        return
    if national.allow_insecure_tls or not national.url.startswith("https://"):
        problem = "is used without a checked certificate"
        yield new_finding("upstream-tls", f"national {national.url}", problem, "use https, and remove allowInsecureTls")


def check_images(plan: StackPlan, options: StackOptions) -> Iterator[Finding]:
    """Report images that are not pinned: mandatory in stage prod, advisory elsewhere.

    The advice comes once a registry is named: before that there is no image whose digest could be written.
    """
    if options.target != "kubernetes":
        return
    if options.stage != "prod" and options.kubernetes.registry == KubernetesOptions().registry:
        return
    rule = "image-pinned" if options.stage == "prod" else "image-digest"
    for name in sorted({workload.image for workload in plan.workloads}):
        if not DIGEST_PATTERN.fullmatch(options.kubernetes.image_digests.get(name, "")):
            remedy = "give it in kubernetes.imageDigests as sha256:…"
            yield new_finding(rule, f"image {name}", "is not pinned by digest", remedy)
