"""Certificates of a stage: its authority, what that signs, what is revoked. Nothing here uses a server or a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers.pki.authority import AuthorityKind
from infra.providers.pki.certificate import CertificateKind
from infra.providers.pki.revocation import RevocationListKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import ResourceKind

KINDS: dict[str, Callable[[], ResourceKind]] = {
    "authority": AuthorityKind,
    "certificate": CertificateKind,
    "revocation_list": RevocationListKind,
}
"""The PKI's kinds by name."""
