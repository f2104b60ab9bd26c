"""The MQTT 5 link, its messages, reconnecting and the embedded broker."""
