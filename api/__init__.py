"""The HTTP side: it answers requests from `telemetry.queries`; it must not read stores, MQTT or files of the edge."""
