"""Rules over a plan and its options. Pure; knows neither Pulumi nor a server nor files."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.plan.broker import INGEST, MONITOR, PROVISION, ROLLUP
from infra.plan.influx import ROLES, rights
from infra.policy.values import finding
from telemetry.core.protocol.topics import every

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from infra.config.options import Options
    from infra.plan import Plan
    from infra.plan.values import BrokerUser, Certificate, Token
    from infra.policy.values import Finding

DAY_S = 86_400
LEAST_DAYS = 30
"""How long a device may be away: events and totals are kept at least that long."""
LEAST_LIFE = timedelta(days=14)
OUTSIDE = frozenset({"devices", "people", "national"})
LABELS = (
    "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "motcua.org/province", "motcua.org/stage",
    "motcua.org/owner", "motcua.org/data-class",
)  # fmt: skip
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PRIVATE_6 = ipaddress.IPv6Network("fc00::/7")
_INGEST = re.compile(INGEST.format(r"\d+"))
_MAY = {
    ROLLUP: (set(), {every("state")}),
    PROVISION: ({every("config"), every("command")}, set()),
    MONITOR: (set(), {"$SYS/broker/#"}),
}


def findings(plan: Plan, options: Options, today: date | None = None) -> list[Finding]:
    """Return every breach, in order; certificates' remaining life is checked on `today`, or the options' day."""
    day = options.today or today
    found = [
        *listeners(plan), *retention(plan), *labels(plan), *tokens(plan), *users(plan.broker.users), *devices(plan),
        *(certificates(plan, day) if day else ()), *root(options), *store(plan, options), *sources(options),
        *upstream(plan), *images(plan, options),
    ]  # fmt: skip
    return sorted(found)


def loopback(address: str) -> bool:
    """Tell whether an address is of this machine only; an empty one is every address."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def listeners(plan: Plan) -> Iterator[Finding]:
    """Name public listeners without TLS or certificates, and those that let anybody in."""
    for one in plan.broker.listeners:
        where = f"listener {one.bind or '*'}:{one.port}"
        if not loopback(one.bind) and not (one.tls and one.client_certificates):
            yield finding("listener-tls", where, "is public without TLS and client certificates", "switch both on")
        if one.anonymous:
            yield finding("listener-anonymous", where, "lets in who has no name", "switch anonymous off")


def retention(plan: Plan) -> Iterator[Finding]:
    """Name buckets that forget too soon."""
    for one in plan.influx.buckets:
        problem = too_short(one.name, one.retention_s, for_ever=one.tier == "1d")
        if problem:
            yield finding("retention", f"bucket {one.name}", problem, "keep it longer; 0 keeps for ever")


def too_short(name: str, retention_s: int, *, for_ever: bool) -> str:
    """Return what is wrong with a retention, s, or nothing; day totals are kept for ever."""
    if for_ever and retention_s != 0:
        return f"{name} holds day totals and must keep for ever, not {retention_s} s"
    if 0 < retention_s < LEAST_DAYS * DAY_S:
        return f"keeps {retention_s} s, less than {LEAST_DAYS} days"
    return ""


def labels(plan: Plan) -> Iterator[Finding]:
    """Name labels that are missing or empty."""
    for name in LABELS:
        if not plan.labels.get(name):
            yield finding("labels", "stack", f"has no label {name}", "give it a value")


def tokens(plan: Plan) -> Iterator[Finding]:
    """Name tokens with more rights than their role, or on no bucket of the plan."""
    raw = next((one.name for one in plan.influx.buckets if one.tier == "raw"), "")
    held = {one.name for one in plan.influx.buckets}
    for token in plan.influx.tokens:
        problem = _excess(token, raw, held)
        if problem:
            yield finding("token-rights", f"token {token.name}", problem, "take the right away")


def _excess(token: Token, raw: str, held: set[str]) -> str:
    if token.role not in ROLES:
        return f"has role {token.role!r}, which needs no token"
    for one in token.permissions:
        if one.bucket not in held:
            return f"may {one.action} {one.bucket or 'all buckets'!r}, which is no bucket of this stack"
    more = sorted(set(token.permissions) - set(rights(token.role, raw)))
    return "".join(f"may {one.action} {one.bucket}, which {token.role} does not need" for one in more[:1])


def users(found: Sequence[BrokerUser]) -> Iterator[Finding]:
    """Name services with topics that their work does not need; an unknown one may have no wildcard at all."""
    for user in found:
        publish, subscribe = may(user.name)
        excess = sorted({*_beyond(user.publish, publish), *_beyond(user.subscribe, subscribe)})
        if excess:
            problem = f"reaches {', '.join(excess)}, which its work does not need"
            yield finding("broker-rights", f"broker user {user.name}", problem, "take the topics away")


def may(user: str) -> tuple[set[str], set[str]]:
    """Return the wildcard filters that a service may publish and subscribe to; none for who is unknown."""
    if _INGEST.fullmatch(user):
        return {every("receipt")}, {every("up")}
    return _MAY.get(user, (set(), set()))


def _beyond(filters: Iterable[str], allowed: set[str]) -> list[str]:
    return [one for one in filters if one not in allowed and wild(one)]


def wild(topic: str) -> bool:
    """Tell whether a filter reaches more than one device's topics."""
    return "#" in topic or "+" in topic


def devices(plan: Plan) -> Iterator[Finding]:
    """Name devices whose id would reach others' topics, or is a service's name."""
    services = {user.name for user in plan.broker.users}
    for one in plan.broker.devices:
        problem = "has an id that is a wildcard" if wild(one.id) or wild(one.centre) or "/" in one.id else ""
        problem = problem or ("has a service's name" if one.id in services else "")
        if problem:
            yield finding("broker-rights", f"device {one.id}", problem, "give it an id of its own")


def certificates(plan: Plan, day: date) -> Iterator[Finding]:
    """Name certificates and revocation lists that are not valid, or end within a fortnight."""
    ends = {"revocation list": (plan.pki.crl_from, plan.pki.crl_until, timedelta(days=1))}
    ends |= {
        f"certificate {one.name} g{one.generation}": (one.not_before, one.not_after, LEAST_LIFE)
        for one in _current(plan)
    }
    for where, (first, last, least) in ends.items():
        if not first <= day or last - day < least:
            problem = f"is valid from {first} until {last}, which on {day} is not enough"
            yield finding("certificate-life", where, problem, "make certificateDays or overlapDays longer")


def _current(plan: Plan) -> tuple[Certificate, ...]:
    """Return what is in use; an authority before the newest only waits for its certificates to end."""
    return (*plan.pki.authorities[:1], *plan.pki.certificates)


def root(options: Options) -> Iterator[Finding]:
    """Name a production stack that made its own root."""
    if options.stage == "prod" and not options.pki.root_certificate:
        problem = "has no root certificate of its own"
        yield finding("own-root", "stage prod", problem, "make one with `motcua ca root` and keep its key offline")


def store(plan: Plan, options: Options) -> Iterator[Finding]:
    """Name ways to InfluxDB from outside, and one over a network without TLS."""
    for flow in plan.flows:
        if flow.target == "influxdb" and flow.source in OUTSIDE:
            yield finding("store-closed", f"flow {flow.source} → influxdb", "opens InfluxDB to the outside", "close it")
    place = urlsplit(plan.influx.url)
    if place.scheme == "http" and options.target != "openstack" and not loopback(place.hostname or ""):
        yield finding("store-tls", plan.influx.url, "carries tokens in plain text", "use https, or a tunnel")
    if options.influx.allow_shrink:
        yield finding("shrink-allowed", "influx.allowShrink", "lets a retention be cut", "take it out after the run")


def sources(options: Options) -> Iterator[Finding]:
    """Name networks that mean everybody."""
    for network in options.openstack.admin_sources:
        if everybody(network):
            remedy = "name the operators' network"
            yield finding("open-to-all", "openstack.adminSources", f"{network} is everybody", remedy)
    part = options.kubernetes if options.target == "kubernetes" else options.openstack
    for network in part.device_sources:
        if everybody(network):
            where, remedy = f"{options.target}.deviceSources", "name the centres' networks"
            yield finding("devices-from-anywhere", where, f"{network} is everybody", remedy)


def everybody(network: str) -> bool:
    """Tell whether a network is all there are, or so much that a few of its size are: nobody owns so many addresses."""
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Network):
        return found.prefixlen < 8
    return found.prefixlen < 16 and not found.subnet_of(_PRIVATE_6)


def upstream(plan: Plan) -> Iterator[Finding]:
    """Name a way to the national copy that is not encrypted and checked."""
    there = plan.influx.upstream
    if there is None:
        return
    if there.allow_insecure_tls or not there.url.startswith("https://"):
        problem = "goes without a checked certificate"
        yield finding("upstream-tls", f"national {there.url}", problem, "use https, and take allowInsecureTls out")


def images(plan: Plan, options: Options) -> Iterator[Finding]:
    """Name images that are not pinned: a fault in stage prod, a hint elsewhere."""
    if options.target != "kubernetes":
        return
    rule = "image-pinned" if options.stage == "prod" else "image-digest"
    for name in sorted({one.image for one in plan.workloads}):
        if not DIGEST.fullmatch(options.kubernetes.image_digests.get(name, "")):
            remedy = "give it in kubernetes.imageDigests as sha256:…"
            yield finding(rule, f"image {name}", "is not pinned by digest", remedy)
