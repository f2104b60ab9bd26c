"""Kinds for mosquitto's dynamic security, each opened on a `Dynsec`; it must not know Pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.broker.client import Client
from infra.providers.broker.defaults import DefaultAccess
from infra.providers.broker.dynsec import Dynsec
from infra.providers.broker.role import Role
from infra.providers.broker.shard import RegistryShard

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.kind import Kind

__all__ = ["KINDS", "Dynsec"]
KINDS: dict[str, Callable[[Dynsec], Kind]] = {
    "role": Role,
    "client": Client,
    "default_access": DefaultAccess,
    "registry_shard": RegistryShard,
}
