"""The alert rules of the store of logs as an object of the ground. Pure; it must not decide when one fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.policy.cloud.alert_rules import RULE_KIND
from infra.policy.cloud.log_room_alerts import log_room_rules
from infra.targets.kubernetes.cloud.objects import platform_manifest

if TYPE_CHECKING:
    from infra.targets.kubernetes.cloud.objects import HostedSpec
    from infra.targets.kubernetes.objects import Manifest


def log_store_rules(spec: HostedSpec) -> tuple[Manifest, ...]:
    """Return the rules of the store of logs, in its namespace; without one in that of the platform's figures."""
    cloud = spec.plan.declaration
    rules = log_room_rules(cloud, in_cluster=True)
    places = (cloud.platform[name].namespace for name in ("logs", "metrics") if name in cloud.platform)
    namespace = next(filter(None, places), "")
    if not rules or not namespace:
        return ()
    body = {"groups": [{"name": "log-store", "rules": rules}]}
    return (platform_manifest(spec, RULE_KIND, namespace, "log-store", "log-store", body),)
