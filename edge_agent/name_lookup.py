"""Looks up the addresses of a name within a time limit; it must not leave more than one lookup of a name running.

The operating system's lookup cannot be interrupted and may take a minute and a half.  It runs in a thread of its own; a
caller that has waited long enough leaves it running, and the next caller for the same name waits for that same lookup.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field

from telemetry.web_address import is_ip_address

MAX_LOOKUPS = 64
"""Most lookups that run at one time; further names are refused until one ends."""


@dataclass(slots=True, eq=False)
class _Lookup:
    done: threading.Event = field(default_factory=threading.Event)
    addresses: tuple[str, ...] = ()
    error: Exception | None = None


_running: dict[str, _Lookup] = {}
_lock = threading.Lock()


def look_up_addresses(host: str, timeout_s: float) -> tuple[str, ...]:
    """Return the addresses of a name in the system's order. Raises TimeoutError, socket.gaierror, OSError."""
    if is_ip_address(host):
        return (host,)
    lookup = _join_or_start(host)
    if not lookup.done.wait(max(timeout_s, 0)):
        raise TimeoutError(f"no answer about the name {host}")
    if lookup.error is not None:
        raise lookup.error
    return lookup.addresses


def _join_or_start(host: str) -> _Lookup:
    with _lock:
        lookup = _running.get(host)
        if lookup is None:
            if len(_running) >= MAX_LOOKUPS:
                raise TimeoutError(f"{MAX_LOOKUPS} lookups of other names are still running")
            lookup = _Lookup()
            threading.Thread(target=_look_up, args=(host, lookup), name="name-lookup", daemon=True).start()
            _running[host] = lookup
        return lookup


def _look_up(host: str, lookup: _Lookup) -> None:
    try:
        entries = socket.getaddrinfo(host, None, socket.AF_UNSPEC, socket.SOCK_STREAM)
        lookup.addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in entries))
    except Exception as error:  # noqa: BLE001 - the callers raise it
        lookup.error = error
    finally:
        with _lock:
            _running.pop(host, None)
        lookup.done.set()
