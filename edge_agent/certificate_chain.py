"""Finds which certificate of a server's chain ends first; it must not judge what the operating system's store trusts.

The chain is the one that OpenSSL built to verify the server: leaf, intermediates, and the root from the trust store.  A
certificate that the server sends and verification does not need (an expired cross-signature) does not count.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.http_client import HttpFailure, open_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.core.protocol.events import ChainCertificate

_STRICT = getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
_PARTIAL = getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", ssl.VerifyFlags(0))


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The first end of a chain: Unix s, and which certificate; `is_valid`: the chain is trusted for the host today."""

    ends_at: float
    certificate: ChainCertificate
    is_valid: bool


def find_chain_end(host: str, port: int, deadline: float) -> ChainEnd:
    """Return the first end of a server's chain, also of one that is not valid. Raises HttpFailure, OSError."""
    try:
        return _read_chain_end(host, port, deadline, _verifying_context(), is_valid=True)
    except ssl.SSLCertVerificationError:
        context = _verifying_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return _read_chain_end(host, port, deadline, context, is_valid=False)
    except (OSError, HttpFailure):
        raise HttpFailure("tls", "the chain is not valid, and cannot be read") from None


def _verifying_context() -> ssl.SSLContext:
    """Return what libcurl accepts too, in every version of Python: 3.13 refuses more certificates by default."""
    context = ssl.create_default_context()
    context.verify_flags = (context.verify_flags & ~_STRICT) | _PARTIAL
    return context


def _read_chain_end(host: str, port: int, deadline: float, context: ssl.SSLContext, *, is_valid: bool) -> ChainEnd:
    plain = open_connection(host, port, deadline - time.monotonic())
    with plain:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no time is left for TLS")
        plain.settimeout(left_s)  # over the whole handshake, not over each read
        try:
            with context.wrap_socket(plain, server_hostname=host) as wrapped:
                return _first_end(_chain_of(wrapped), is_valid=is_valid)
        except (ssl.SSLCertVerificationError, TimeoutError):
            raise
        except (ssl.SSLError, ConnectionError) as error:
            raise HttpFailure("tls", str(error)) from None


def _chain_of(wrapped: ssl.SSLSocket) -> list[dict[str, Any]]:
    """Return the chain as verified, leaf first; public in Python 3.13 only, and as bytes."""
    connection = wrapped._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    chain = connection.get_verified_chain() or connection.get_unverified_chain() or ()
    return [certificate.get_info() for certificate in chain]


def _first_end(chain: Sequence[dict[str, Any]], *, is_valid: bool) -> ChainEnd:
    if not chain:
        raise HttpFailure("tls", "the server shows no certificate")
    ends = [float(ssl.cert_time_to_seconds(certificate["notAfter"])) for certificate in chain]
    at = ends.index(min(ends))
    is_root = at > 0 and chain[at]["issuer"] == chain[at]["subject"]
    certificate: ChainCertificate = "leaf" if at == 0 else "root" if is_root else "intermediate"
    return ChainEnd(ends[at], certificate, is_valid)
