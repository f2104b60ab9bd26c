"""Translates who may do what into dynamic security's access lists; it must not send anything.

The file form of the same rights is `infra.host.mosquitto.access`, or `acl_lines` for a single service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from infra.plan.broker import DEVICE_READS, DEVICE_WRITES
from telemetry.core.topics import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEND, RECEIVE, SUBSCRIBE = "publishClientSend", "publishClientReceive", "subscribePattern"
UNSUBSCRIBE = "unsubscribePattern"
TYPES = (SEND, RECEIVE, "subscribeLiteral", SUBSCRIBE, "unsubscribeLiteral", UNSUBSCRIBE)
CONTROL = "$CONTROL/dynamic-security/#"
ANY_CENTRE = "+"
SHARED = "$share/+/"


class Acl(TypedDict):
    """One right: what it is about, which topics, allowed or denied; a higher priority is asked first."""

    type: str
    topic: str
    allow: bool
    priority: int


def allow(kind: str, topic: str) -> Acl:
    """Return the right to do one thing."""
    return {"type": kind, "topic": topic, "allow": True, "priority": 0}


def rights(publish: Iterable[str], subscribe: Iterable[str], *, shared: bool = True) -> list[Acl]:
    """Return the list that lets a client publish to and hear these topic filters, and nothing else.

    mosquitto 2.0 compares a shared subscription whole, `$share/GROUP/` included, so each filter
    stands twice where `shared`; a device has no business in a group.
    """
    heard = sorted(set(subscribe))
    return [
        *(allow(SEND, topic) for topic in sorted(set(publish))),
        *(allow(RECEIVE, topic) for topic in heard),
        *(allow(SUBSCRIBE, topic) for topic in heard),
        *(allow(SUBSCRIBE, f"{SHARED}{topic}") for topic in heard if shared),
    ]


def device_rights(device: str, centre: str = "") -> list[Acl]:
    """Return a device's list: the topics of its own id, below its own centre where that is known."""
    own = f"{ROOT}/{centre or ANY_CENTRE}/{device}"
    return rights([f"{own}/{one}" for one in DEVICE_WRITES], [f"{own}/{one}" for one in DEVICE_READS], shared=False)


def admin_rights() -> list[Acl]:
    """Return the list of the administrator: dynamic security itself, and to see how the broker is."""
    return rights([CONTROL], [CONTROL, "$SYS/#"], shared=False)


def acl_lines(name: str, publish: Sequence[str], subscribe: Sequence[str]) -> list[str]:
    """Return the same rights of one client as lines of an access file."""
    reads = [f"topic read {topic}" for topic in sorted(set(subscribe))]
    return [f"user {name}", *reads, *(f"topic write {topic}" for topic in sorted(set(publish)))]
