"""Evaluates Kubernetes NetworkPolicies as their specification says: may this pod open a connection to that one? Pure.

It must not know how policies are rendered: it judges manifests as a cluster's network would, both directions, and
raises ValueError for a field that it does not know instead of ignoring it as the API server does.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Json = Mapping[str, Any]
    """One object of a manifest."""

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NetworkParty:
    """One end of a connection: a pod with its namespace and labels, or an address outside when `namespace` is empty.

    A pod may have an address too: networks differ in whether an `ipBlock` holds for pods, and the strict answer counts.
    """

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _NO_LABELS)
    address: str = ""


@dataclass(frozen=True, slots=True)
class NetworkPolicies:
    """The policies of a cluster, and the labels of its namespaces by name; the name's own label is implied."""

    policies: tuple[Json, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    _by_namespace: Mapping[str, tuple[Json, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Group the policies: only those of a pod's own namespace can select it."""
        grouped: dict[str, list[Json]] = {}
        for policy in self.policies:
            grouped.setdefault(policy["metadata"]["namespace"], []).append(policy)
        object.__setattr__(self, "_by_namespace", {name: tuple(own) for name, own in grouped.items()})

    def allow(self, source: NetworkParty, target: NetworkParty, port: int, protocol: str = "TCP") -> bool:
        """Return whether a connection is allowed: out of its source, and into its target."""
        return self._allow_way("egress", source, target, port, protocol) and self._allow_way(
            "ingress", target, source, port, protocol
        )

    def _allow_way(self, way: str, pod: NetworkParty, peer: NetworkParty, port: int, protocol: str) -> bool:
        """Return whether the policies of one way that select a pod allow its peer; without any, all is allowed."""
        if not pod.namespace:
            return True
        own = self._by_namespace.get(pod.namespace, ())
        selecting = [policy for policy in own if _selects(policy, pod, way)]
        return not selecting or any(
            self._rule_allows(policy, rule, way, peer) and _ports_allow(rule.get("ports"), port, protocol)
            for policy in selecting
            for rule in policy["spec"].get(way) or ()
        )

    def _rule_allows(self, policy: Json, rule: Json, way: str, peer: NetworkParty) -> bool:
        key = "to" if way == "egress" else "from"
        _refuse_unknown(rule, {key, "ports"})
        peers = rule.get(key)
        return not peers or any(self._matches(policy, one, peer) for one in peers)

    def _matches(self, policy: Json, selector: Json, peer: NetworkParty) -> bool:
        _refuse_unknown(selector, {"ipBlock", "namespaceSelector", "podSelector"})
        if "ipBlock" in selector:
            if len(selector) > 1:
                raise ValueError("ipBlock stands alone in a peer")
            return _is_in_block(selector["ipBlock"], peer.address)
        if not peer.namespace:
            return False
        if "namespaceSelector" in selector:
            labels = {**self.namespaces.get(peer.namespace, _NO_LABELS), NAMESPACE_NAME_LABEL: peer.namespace}
            if not selector_matches(selector["namespaceSelector"], labels):
                return False
        elif peer.namespace != policy["metadata"]["namespace"]:
            return False
        return "podSelector" not in selector or selector_matches(selector["podSelector"], peer.labels)


def selector_matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector selects labels; an empty one selects all."""
    selector = selector or {}
    _refuse_unknown(selector, {"matchLabels", "matchExpressions"})
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _expression_matches(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _expression_matches(expression: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise ValueError(f"unknown operator {other}")


def _selects(policy: Json, pod: NetworkParty, way: str) -> bool:
    spec = policy["spec"]
    _refuse_unknown(spec, {"podSelector", "policyTypes", "ingress", "egress"})
    types: Sequence[str] = spec.get("policyTypes") or ("Ingress", *(("Egress",) if "egress" in spec else ()))
    return way.capitalize() in types and selector_matches(spec["podSelector"], pod.labels)


def _ports_allow(ports: Iterable[Json] | None, port: int, protocol: str) -> bool:
    return not ports or any(_port_allows(one, port, protocol) for one in ports)


def _port_allows(entry: Json, port: int, protocol: str) -> bool:
    _refuse_unknown(entry, {"port", "endPort", "protocol"})
    first = entry.get("port")
    if isinstance(first, str):
        raise ValueError(f"port {first} is named: its number is not in the policy")  # noqa: TRY004 - a value of JSON
    if entry.get("protocol", "TCP") != protocol:
        return False
    return first is None or first <= port <= entry.get("endPort", first)


def _is_in_block(block: Json, address: str) -> bool:
    _refuse_unknown(block, {"cidr", "except"})
    if not address:
        return False
    parsed = ipaddress.ip_address(address)
    return parsed in ipaddress.ip_network(block["cidr"]) and not any(
        parsed in ipaddress.ip_network(excluded) for excluded in block.get("except") or ()
    )


def _refuse_unknown(value: Json, known: set[str]) -> None:
    unknown = sorted(set(value) - known)
    if unknown:
        raise ValueError(f"unknown field {', '.join(unknown)}")
