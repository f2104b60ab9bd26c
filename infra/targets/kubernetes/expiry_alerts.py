"""Writes Prometheus' rules on what ends by itself: certificates and the revocation list. Pure; knows no secret.

`pulumi up` renews them, and only when somebody runs it. The days are the plan's, so no exporter is needed: after each
run the rules speak of what that run has issued.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from infra.host.text import render_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan import StackPlan

RULES_FILE = "renewal.yaml"
RUNBOOK = "docs/operate.md#rotate-certificates-and-tokens"


def expiry_rule_files(plan: StackPlan) -> dict[str, str]:
    """Return {name: text} of the rules."""
    rules = [rule for what, due, end in _expiries(plan) for rule in _expiry_rules(what, due, end)]
    return {RULES_FILE: render_yaml({"groups": [{"name": "motcua-renewal", "rules": rules}]})}


def _expiries(plan: StackPlan) -> Iterator[tuple[str, date, date]]:
    """Yield what ends: its name, the day on which it could first be renewed, its end."""
    pki = plan.pki
    # A list is renewed at half of its life.
    yield "the revocation list", pki.crl_from + (pki.crl_until - pki.crl_from) / 2, pki.crl_until
    for certificate in (*pki.authorities[:1], *pki.certificates):
        yield (
            f"the certificate of {certificate.name}",
            min(certificate.renew_on, certificate.not_after),
            certificate.not_after,
        )


def _expiry_rules(what: str, due: date, end: date) -> Iterator[dict[str, object]]:
    """Yield a warning half way from the first chance to the end, and an alarm at three quarters."""
    for severity, share in (("warning", 2), ("critical", 4)):
        yield {
            "alert": "MotcuaRenewalDue",
            "expr": f"vector(time()) > {_unix_seconds(end) - (_unix_seconds(end) - _unix_seconds(due)) // share}",
            "labels": {"severity": severity, "what": what},
            "annotations": {
                "summary": f"On {end} {what} ends, and with it the connections that rest on it: run pulumi up.",
                "runbook": RUNBOOK,
            },
        }


def _unix_seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
