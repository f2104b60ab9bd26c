"""The target `local`: configures a machine that already runs InfluxDB 2 and mosquitto as planned."""
