"""Turns the rules over single resources into Pulumi's policies. It must not decide anything, nor start a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pulumi_policy import EnforcementLevel, ResourceValidationPolicy
from pulumi_policy.proxy import UnknownValueError

from infra.policy.objects import UNKNOWN
from infra.policy.resources import EXAMINED, breaches
from infra.policy.values import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_policy import Policy, ReportViolation, ResourceValidationArgs

    from infra.policy.values import Rule


def policies() -> list[Policy]:
    """Return a policy for each rule that single resources can break."""
    return [_policy(RULES[name]) for name in EXAMINED]


def _policy(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for found in breaches(args.resource_type, plain(args.props), args.name):
            if found.rule == rule.id:
                report(f"{found.where}: {found.problem}; {found.remedy}", args.urn)

    return ResourceValidationPolicy(rule.id, f"{rule.en} / {rule.vi}", validate, EnforcementLevel(rule.severity))


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a proxied value as JSON; what is not known yet becomes UNKNOWN."""
    if isinstance(value, Mapping):
        return {name: _known(lambda name=name: value[name]) for name in value}  # type: ignore[misc]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_known(lambda number=number: value[number]) for number in range(len(value))]  # type: ignore[misc]
    return value


def _known(ask: Callable[[], object]) -> object:
    try:
        return plain(ask())
    except UnknownValueError:
        return UNKNOWN
