"""Rules over single OpenStack resources of hosted systems, as the policy pack sees them. Pure.

Machines and volumes carry the level in their metadata. Groups and their rules have no such labels: what they may hold
is the same for every level. A value that is unknown in a preview is never a breach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from infra.policy.catalogue import Finding
from infra.policy.cloud.admission_checks import DATA_LABEL, LEVEL_LABEL
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.exceptions import exception_label
from infra.policy.manifests import UNKNOWN, as_list, as_mapping
from infra.policy.rules import is_open_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ResourceProps = dict[str, Any]
_COMPONENT_PATH: Final = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
"""The description of a hosted component's group: `system/component`."""
_HOSTED_RULE: Final = re.compile(r"\S+ (?:to|from) \S+")
"""The description of a rule that a declared connection gives."""
SEPARATED_LEVEL: Final = 3


def check_hosted_resource(kind: str, props: ResourceProps, where: str) -> Iterator[Finding]:
    """Yield the breaches of a resource; `kind` is the last part of its type token."""
    check = _CHECKS.get(kind)
    if check is not None:
        yield from check(props, where)


def _finding(rule: str, where: str, problem: str, remedy: str, level: int = SEPARATED_LEVEL) -> Finding:
    return Finding(rule, where, problem, remedy, "mandatory", CLOUD_RULES[rule].clause(level))


def _holds(rule: str, props: ResourceProps) -> bool:
    """Return whether a rule holds for a resource by its metadata, and no exception leaves it out."""
    # A key of Nova's metadata must not have a slash: machines and volumes are labelled with a colon in its place.
    labels = {str(key).replace(":", "/"): value for key, value in as_mapping(props.get("metadata")).items()}
    level, data = str(labels.get(LEVEL_LABEL, "")), str(labels.get(DATA_LABEL, "public"))
    return level.isdecimal() and CLOUD_RULES[rule].applies_to(int(level), data) and exception_label(rule) not in labels


def _check_machine(props: ResourceProps, where: str) -> Iterator[Finding]:
    hints = props.get("schedulerHints")
    grouped = hints == UNKNOWN or any(as_mapping(hint).get("group") for hint in as_list(hints))
    if _holds("replicas", props) and not grouped:
        yield _finding("replicas", where, "may run on the host of its spare", "put it into a server group")


def _check_volume(props: ResourceProps, where: str) -> Iterator[Finding]:
    if _holds("system-apart", props) and not props.get("volumeType"):
        yield _finding("system-apart", where, "has the cloud's common volume type", "name an encrypted one: volumeType")


def _check_group(props: ResourceProps, where: str) -> Iterator[Finding]:
    """Report a component's group that keeps the two rules by which every way out is open."""
    hosted = _COMPONENT_PATH.fullmatch(str(props.get("description") or ""))
    if hosted and props.get("deleteDefaultRules") not in (True, UNKNOWN):
        yield _finding("egress-closed", where, "keeps the rules that let everything out", "deleteDefaultRules: true")


def _check_group_rule(props: ResourceProps, where: str) -> Iterator[Finding]:
    if not _HOSTED_RULE.fullmatch(str(props.get("description") or "")) or props.get("remoteGroupId"):
        return
    network = props.get("remoteIpPrefix") or "0.0.0.0/0"
    if is_open_network(str(network)):
        yield _finding("flow-declared", where, f"opens the way for {network}", "name the networks that are meant")
    first, last = props.get("portRangeMin"), props.get("portRangeMax")
    if UNKNOWN not in (first, last) and (first is None or first != last):
        yield _finding("flow-declared", where, "opens more than one port", "one rule for each port")


_CHECKS: Mapping[str, Callable[[ResourceProps, str], Iterator[Finding]]] = {
    "Instance": _check_machine,
    "Volume": _check_volume,
    "SecGroup": _check_group,
    "SecGroupRule": _check_group_rule,
}
