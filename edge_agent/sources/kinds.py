"""Which kinds of sources `agent.toml` may name, and their keys: plain tables; it must load no source."""

from __future__ import annotations

SOURCE_KEYS = {
    "host": {"every_ms"},
    "probe": {"system", "probe", "target", "every_ms", "isolate"},
    "file": {"path", "isolate"},
    "http": {"port"},
    "escpos": {"address", "every_ms", "isolate"},
    "queue_http": {"url", "mapping", "header_file", "every_ms", "isolate"},
}
"""Kinds of sources and the keys each may have beside `kind`.

`isolate = true` runs a source in a process of its own, for drivers that may hang or crash; the heartbeat and the local
HTTP source know the device's whole state and stay.
"""
REQUIRED_KEYS = {
    "host": set[str](),
    "probe": {"system", "probe", "target"},
    "file": {"path"},
    "http": {"port"},
    "escpos": {"address"},
    "queue_http": {"url"},
}
"""The keys a source of each kind cannot do without."""
NUMBER_KEYS = {"every_ms", "port"}
"""Keys whose value is a positive whole number."""
FLAG_KEYS = {"isolate"}
"""Keys whose value is true or false."""
