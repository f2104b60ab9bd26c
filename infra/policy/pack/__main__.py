"""Pulumi's policy pack of the rules over single resources. It must not decide anything that the rules do not.

Starting it serves the policies until the engine ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the engine starts it in its own folder

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from infra.policy.catalogue import RULES, PolicyRule
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.manifests import KnownExceptions
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import RESOURCE_RULE_IDS, resource_violations

KNOWN = KnownExceptions(datetime.now(UTC).date())
"""A pack sees no inventory: it knows the day, and the cluster which exceptions were declared."""


def pulumi_policy(rule: PolicyRule) -> ResourceValidationPolicy:
    """Return the policy of a rule that a single resource can break."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for violation in resource_violations(args.resource_type, to_plain_json(args.props), args.name, KNOWN):
            if violation.rule == rule.id:
                report(f"{violation.where}: {violation.problem}; {violation.remedy}", args.urn)

    return ResourceValidationPolicy(
        rule.id, f"{rule.title_en} / {rule.title_vi}", validate, EnforcementLevel(rule.severity)
    )


def rule_named(ident: str) -> PolicyRule:
    """Return a rule; one of hosted systems stops a roll-out whatever the day: an object has no transition."""
    if ident in RULES:
        return RULES[ident]
    rule = CLOUD_RULES[ident]
    return PolicyRule(rule.id, "mandatory", rule.title_vi, rule.title_en)


def to_plain_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a proxied value as plain JSON; a value unknown in a preview becomes UNKNOWN."""
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


PolicyPack("motcua", [pulumi_policy(rule_named(name)) for name in RESOURCE_RULE_IDS], EnforcementLevel.MANDATORY)
