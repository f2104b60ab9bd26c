"""The target `local`: a machine that runs InfluxDB 2 and mosquitto already is configured as the plan wants."""
