"""The MQTT 5 link, its messages, the reconnect policy and the embedded broker."""
