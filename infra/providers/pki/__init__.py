"""Certificates of a stage: its authority, what that signs, what is revoked. Nothing here asks a server or a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.pki.authority import Authority
from infra.providers.pki.certificate import ServerCertificate
from infra.providers.pki.revocation import RevocationList

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import Kind

KINDS: dict[str, Callable[[], Kind]] = {
    "authority": Authority,
    "certificate": ServerCertificate,
    "revocation_list": RevocationList,
}
"""What the PKI can make, by name."""
