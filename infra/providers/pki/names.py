"""Who may have a certificate: declared devices, the services of the broker's rules, servers for hosts. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.plan.broker import INGEST_NAME_FORMAT, MONITOR_NAME, PROVISION_NAME, ROLLUP_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Container

SERVER_NAMES = ("server", "broker", "api")
"""Common names of servers; clients look at the hosts that the certificate is for."""
SERVICE_NAMES = ", ".join((INGEST_NAME_FORMAT.format("N"), ROLLUP_NAME, PROVISION_NAME, MONITOR_NAME))
_WORKER_NAME = re.compile(INGEST_NAME_FORMAT.format("[1-9][0-9]{0,2}"))


def is_service(name: str) -> bool:
    """Tell whether a common name is one of the services'."""
    return name in {ROLLUP_NAME, PROVISION_NAME, MONITOR_NAME} or _WORKER_NAME.fullmatch(name) is not None


def server_refusal(name: str, hosts: Collection[str]) -> tuple[str, str] | None:
    """Return why no server's certificate is signed for this name, and the way out; None when it may be."""
    if not hosts:
        return "a server needs hosts", "add --host for every DNS name and IP address by which clients reach it"
    if name in SERVER_NAMES or name in hosts:
        return None
    return f"{name!r} is no server's name", f"make the request for one of its hosts, or for {', '.join(SERVER_NAMES)}"


def client_refusal(name: str, devices: Container[str], *, service: bool) -> tuple[str, str] | None:
    """Return why nobody may get a certificate of this name, and the way out; None when it may be signed."""
    if service:
        if is_service(name):
            return None
        return f"{name!r} is no service", f"use one of {SERVICE_NAMES}, or leave --service out for a device"
    if is_service(name):
        return f"{name!r} is a service's name", "a device's name is its id; for a service itself add --service"
    if name not in devices:
        return f"{name!r} is no declared device", "add it to devices.csv of the inventory, or correct the request's CN"
    return None
