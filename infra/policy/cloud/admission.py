"""ValidatingAdmissionPolicies of the rules that the API server can check on single objects, as plain objects.

It must not decide what is checked: `admission_checks` holds the expressions. A policy is bound by the labels of
namespaces; an object with the label of a dated exception is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.plan.cloud.values import QUEUE_OPERATOR, QUEUE_OPERATOR_NAMESPACE
from infra.plan.cloud.vantage_points import BROKER, vantage_namespaces
from infra.policy.cloud.admission_checks import (
    DATA_LABEL,
    LEVEL_LABEL,
    ZONE_LABEL,
    AdmissionCheck,
    AdmissionPolicy,
    admission_policies,
)
from infra.policy.cloud.catalogue import CLOUD_RULES, HIGHEST_HOSTED_LEVEL, PERSONAL_DATA
from infra.policy.cloud.exceptions import UNEXCEPTED_RULES, exception_label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from infra.policy.cloud.catalogue import CloudRule
    from telemetry.core.cloud.values import CloudDeclaration

KubernetesObject = dict[str, Any]
DATABASE_OPERATOR_NAMESPACE: Final = "cnpg-system"
API_VERSION: Final = "admissionregistration.k8s.io/v1"
_PART_OF: Final = {"app.kubernetes.io/part-of": "motcua", "app.kubernetes.io/managed-by": "pulumi"}


def admission_objects(
    declaration: CloudDeclaration, stage: str, province: str, exceptions: Collection[str] = ()
) -> tuple[KubernetesObject, ...]:
    """Return every policy of a cluster, each followed by its bindings; outside stage prod an image may have a tag.

    `exceptions` are the keys of those that hold (`exception_keys`).
    """
    policies = admission_policies(stage, platform_namespaces(declaration, province), exceptions)
    return tuple(made for policy in policies for made in _policy_objects(policy))


def platform_namespaces(declaration: CloudDeclaration, province: str) -> tuple[str, ...]:
    """Return the namespaces of the platform, which belong to no system: services, gateways, operators, agents."""
    # The broker is called by agents and calls nobody: its namespace may be that of a hosted system.
    services = (one.namespace for name, one in declaration.platform.items() if one.namespace and name != BROKER)
    queues = (QUEUE_OPERATOR_NAMESPACE,) if QUEUE_OPERATOR in declaration.ground.engines else ()
    operators = (DATABASE_OPERATOR_NAMESPACE, *queues)
    others = (declaration.ground.gateway_namespace, *operators, *vantage_namespaces(province))
    return tuple(sorted({*services, *others}))


def _policy_objects(policy: AdmissionPolicy) -> Iterator[KubernetesObject]:
    rule = CLOUD_RULES[policy.rule]
    name = f"motcua-{policy.rule}"
    yield {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _metadata(name),
        "spec": _policy_spec(policy, rule),
    }
    for suffix, selector in _namespace_selectors(policy, rule):
        yield _binding(name, suffix, selector, policy.rule)


def _metadata(name: str) -> KubernetesObject:
    return {"name": name, "labels": dict(_PART_OF)}


def _policy_spec(policy: AdmissionPolicy, rule: CloudRule) -> KubernetesObject:
    spec: KubernetesObject = {
        # An expression that fails to evaluate refuses the object: a rule that cannot be checked is not met.
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [
                {
                    "apiGroups": [group],
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": list(resources),
                }
                for group, resources in policy.resources.items()
            ],
        },
        # What is being deleted must lose its finalizers, whatever it breaks.
        "matchConditions": [
            {"name": name, "expression": text}
            for name, text in {"not-deleted": "!has(object.metadata.deletionTimestamp)", **policy.conditions}.items()
        ],
        "validations": [_validation(check, rule) for check in policy.checks],
    }
    if policy.variables:
        spec["variables"] = [{"name": name, "expression": text} for name, text in policy.variables.items()]
    return spec


def _validation(check: AdmissionCheck, rule: CloudRule) -> KubernetesObject:
    clause = rule.clause(max(rule.from_level, check.from_level))
    message = f"{rule.id}: {check.problem}" + (f" ({clause})" if clause else "")
    return {"expression": check.expression, "message": message, "reason": "Invalid"}


def _namespace_selectors(policy: AdmissionPolicy, rule: CloudRule) -> Iterator[tuple[str, list[KubernetesObject]]]:
    """Yield (suffix of the binding's name, expressions over the namespace's labels)."""
    levels = [str(level) for level in range(rule.from_level, HIGHEST_HOSTED_LEVEL + 1)]
    yield "", [{"key": LEVEL_LABEL, "operator": "In", "values": levels}]
    if rule.personal:
        yield (
            "-personal",
            [
                {"key": LEVEL_LABEL, "operator": "NotIn", "values": levels},
                {"key": DATA_LABEL, "operator": "In", "values": sorted(PERSONAL_DATA)},
            ],
        )
    if policy.in_edge:
        yield "-edge", [{"key": ZONE_LABEL, "operator": "In", "values": ["edge"]}]


def _binding(name: str, suffix: str, expressions: list[KubernetesObject], rule: str) -> KubernetesObject:
    matched: KubernetesObject = {"namespaceSelector": {"matchExpressions": expressions}}
    if rule not in UNEXCEPTED_RULES:
        left_out = {"key": exception_label(rule), "operator": "DoesNotExist"}
        matched["objectSelector"] = {"matchExpressions": [left_out]}
    return {
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _metadata(f"{name}{suffix}"),
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": matched},
    }
