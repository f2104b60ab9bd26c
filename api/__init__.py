"""The HTTP side: it asks `telemetry.queries` and shapes answers; it must not read stores, MQTT or files of the edge."""
