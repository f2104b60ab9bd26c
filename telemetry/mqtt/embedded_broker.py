"""The embedded MQTT broker (iotcore) as a child process with a generated configuration; for demo, replay and tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Self

from iotcore import Broker

from telemetry.errors import BrokerUnavailable

_CONFIG_TEMPLATE = """id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 262144
max_inflight_count = 500
"""


class EmbeddedBroker:
    """A running broker; MQTT 5 only, everything in memory: agents store every row until its receipt."""

    def __init__(self, host: str, port: int) -> None:
        """Start listening; raises BrokerUnavailable when the port is in use."""
        self._folder = tempfile.TemporaryDirectory(prefix="motcua-broker-")
        path = Path(self._folder.name) / "broker.toml"
        path.write_text(_CONFIG_TEMPLATE.format(host=host, port=port))
        self.url = f"mqtt://{host}:{port}"
        self._broker = Broker(config_path=str(path))
        try:
            self._broker.start()
        except (OSError, RuntimeError) as error:
            self._folder.cleanup()
            msg = f"the broker cannot listen on {host}:{port}: {error}; use another port"
            raise BrokerUnavailable(msg) from error

    def is_alive(self) -> bool:
        """Return whether the child process is running."""
        return self._broker.is_running

    def stop(self) -> None:
        """End the child process."""
        self._broker.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """Return the running broker."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
