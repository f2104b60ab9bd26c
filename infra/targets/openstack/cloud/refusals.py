"""Turns what Keystone or Neutron answer to a resource into one sentence: what, where, what to do. Pure.

It must not hide the answer: its own words stay in the sentence.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from infra.targets.openstack.cloud.checks import new_fault

if TYPE_CHECKING:
    from infra.targets.openstack.cloud.values import CloudResource
    from telemetry.errors import Fault

_REMEDIES = {
    "OverQuota": "the project is full: delete what is in it by hand, or declare it in the inventory",
    "SecurityGroupRuleExists": "somebody made the same rule by hand: delete it there, or import it into the stack",
    "SecurityGroupInvalidPortRange": "write one port from 1 to 65535 in flows.csv",
    "SecurityGroupInvalidPortValue": "write one port from 1 to 65535 in flows.csv",
    "InvalidCIDR": "write the network of the peer or service as 10.83.64.0/24 in cloud.toml",
    "RoutesExhausted": "the cloud allows a router fewer routes: raise max_routes in [DEFAULT] of its neutron.conf",
    "NetworkInUse": "ports are still in it: delete the machines and balancers in it first, then run again",
    "SecurityGroupInUse": "a port still has the group: delete the machine first, then run again",
    "RouterInUse": "its interfaces are still there: delete the subnets' interfaces first, then run again",
    "RouterInterfaceInUseByFloatingIP": "a floating address uses the router: release it first",
    "SubnetInUse": "addresses are still used in it: delete the machines and balancers in it first, then run again",
    "IpAddressAlreadyAllocated": "somebody has the address: find its port (`openstack port list`) and free it",
    "ExternalIpAddressExhausted": "the outside network has no free address: ask the operator of the cloud for more",
    "OverlappingAllocationPools": "correct the network of the zone in [zones]",
}
_REMEDY_BY_STATUS = {
    400: "correct the row it is made for",
    401: "the program's credential is not valid: log in again (OS_* or clouds.yaml)",
    403: "the program's user may not do this: it needs the administrator's role in the cloud",
    404: "what it refers to is not there: run `pulumi refresh`, then again; is the ground deployed?",
    409: "something of that name or address is there already: import it into the stack, or delete it",
}
_OVERLAP = re.compile(r"overlaps with another subnet")
_ROUTES_FULL = re.compile(r"\['router_route'\]")


def explain_refusal(resource: CloudResource, status: int, body: str) -> Fault:
    """Return the fault of a resource that the cloud refused with a status and a body."""
    kind, message = _answer(body)
    remedy = _REMEDIES.get(kind) or _REMEDY_BY_STATUS.get(status, "see the log of the cloud's service, then run again")
    if _OVERLAP.search(message):
        remedy = "two subnets have the same addresses: correct the networks in [zones], or the slots' zone"
    if _ROUTES_FULL.search(message):
        remedy = "the cloud allows a router fewer routes: raise quota_router_route in [quotas] of its neutron.conf"
    field = f"{resource.kind} {resource.name}" + (f" in project {resource.project}" if resource.project else "")
    return new_fault(resource.declared_at, field, f"the cloud refused it ({status}): {message}", remedy)


def _answer(body: str) -> tuple[str, str]:
    """Return type and message of an answer: of Neutron's, of Keystone's, or the text itself on one line."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    for key in ("NeutronError", "error"):
        inner = answer.get(key) if isinstance(answer, dict) else None
        if isinstance(inner, dict):
            return str(inner.get("type", inner.get("title", ""))), " ".join(str(inner.get("message", "")).split())
        if isinstance(inner, str):
            return "", " ".join(inner.split())
    return "", " ".join(body.split())[:200] or "no reason given"
