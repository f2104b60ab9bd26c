"""The shared part: the declared inventory, events, the store, and totals over them.

The data path: source -> outbox -> MQTT frame -> ingest -> store (raw + change) -> rollup
(5 min, 1 h, 1 d, live rows) -> queries -> API, page, Prometheus.  Importing this does nothing.
"""

__version__ = "0.1.0"
