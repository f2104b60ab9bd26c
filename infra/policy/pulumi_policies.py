"""Turns the rules over single resources into Pulumi's policies. It must not decide anything, nor start a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pulumi_policy import EnforcementLevel, ResourceValidationPolicy
from pulumi_policy.proxy import UnknownValueError

from infra.policy.catalogue import RULES
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import RESOURCE_RULE_IDS, resource_violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_policy import Policy, ReportViolation, ResourceValidationArgs

    from infra.policy.catalogue import PolicyRule


def pulumi_policies() -> list[Policy]:
    """Return a policy for each rule that a single resource can break."""
    return [_build_policy(RULES[name]) for name in RESOURCE_RULE_IDS]


def _build_policy(rule: PolicyRule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for violation in resource_violations(args.resource_type, to_plain_json(args.props), args.name):
            if violation.rule == rule.id:
                report(f"{violation.where}: {violation.problem}; {violation.remedy}", args.urn)

    return ResourceValidationPolicy(
        rule.id, f"{rule.title_en} / {rule.title_vi}", validate, EnforcementLevel(rule.severity)
    )


def to_plain_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a proxied value as plain JSON; a value that is not known yet becomes UNKNOWN."""
    if isinstance(value, Mapping):
        return {name: _value_or_unknown(lambda name=name: value[name]) for name in value}  # type: ignore[misc]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_value_or_unknown(lambda number=number: value[number]) for number in range(len(value))]  # type: ignore[misc]
    return value


def _value_or_unknown(get: Callable[[], object]) -> object:
    try:
        return to_plain_json(get())
    except UnknownValueError:
        return UNKNOWN
