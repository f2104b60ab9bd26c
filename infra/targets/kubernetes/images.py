"""The images of Motcua's own components: exact versions, and who owns their files. It pulls nothing."""

from __future__ import annotations

from telemetry import __version__

PINNED_IMAGES = {
    "mosquitto": ("docker.io/library/eclipse-mosquitto", "2.0.22"),
    "influxdb": ("docker.io/library/influxdb", "2.7.12"),
    "prometheus": ("docker.io/prom/prometheus", "v3.5.0"),
    "alertmanager": ("docker.io/prom/alertmanager", "v0.28.1"),
    "grafana": ("docker.io/grafana/grafana", "12.1.1"),
    "nginx": ("docker.io/nginxinc/nginx-unprivileged", "1.28.0"),
}
OWN_IMAGES = {"motcua-server": __version__}
"""Images that the operator builds and pushes to the stack's registry."""
IMAGE_USERS = {
    "mosquitto": 1883, "influxdb": 1000, "prometheus": 65534, "alertmanager": 65534, "grafana": 472,
    "motcua-server": 10001, "nginx": 101,
}  # fmt: skip
"""The user that owns each image's files."""
