"""Prometheus and Alertmanager of Motcua as a hosted system by TLS: whoever calls them trusts the authority alone."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.request
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from api.alertmanager import AlertmanagerClient
from telemetry.core.slo.alert import PostableAlert
from telemetry.errors import ConfigError
from telemetry.slo.alertmanager import Alertmanagers
from tests.alertmanager import until
from tests.encrypted_server import ServerFiles
from tests.own_objects import shipped_own_objects
from tests.pki import Pki
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.own_objects import OwnObjects

pytestmark = pytest.mark.flow
SERVER = "vn83-motcua-server"
ROUTES = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
"""In place of ours, whose `url_file` Debian's Alertmanager does not know; it has tests of its own."""
RULE = {"alert": "Always", "expr": "prometheus_notifications_alertmanagers_discovered > 0", "labels": {"scope": "rule"}}
"""An alert that nobody takes is sent again after a minute: it fires when there is somebody."""
RULES = {"groups": [{"name": "test", "rules": [RULE]}]}


class EncryptedPart:
    """A server on the ConfigMap and the arguments of its pod: only folders, addresses and times are this machine's."""

    def __init__(self, name: str, folder: Path, pki: Pki) -> None:
        self.name, self.folder, self.port = name, folder, free_port()
        self.files = ServerFiles(pki, folder / "tls", name)
        self.url = f"https://localhost:{self.port}"
        self.log = folder / "log"

    def write(self, found: OwnObjects, addresses: dict[str, int]) -> None:
        """Write its files; `addresses` are the ports here of what it calls."""
        data = found.hosted.one("ConfigMap", f"{SERVER}/{self.name}-config")["data"]
        for name, text in data.items():
            here = text.replace("/etc/motcua/tls", str(self.files.folder))
            here = here.replace("/etc/prometheus/rules", str(self.folder))
            for address, port in addresses.items():
                here = here.replace(address, f"localhost:{port}")
            (self.folder / name).write_text(here)

    def start(self, program: str, found: OwnObjects) -> subprocess.Popen[bytes]:
        workload = found.hosted.one("StatefulSet", f"{SERVER}/{self.name}")
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        words = [program]
        for word in container["args"]:
            option, _, value = word.partition("=")
            place = next((place for place in mounts if value == place or value.startswith(f"{place}/")), "")
            inside = self.folder if value.endswith(".yml") else self.folder / "data"
            words.append(f"{option}={inside}{value.removeprefix(place) if place else ''}" if place else word)
        words += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        with self.log.open("wb") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, path: str) -> Any:  # noqa: ANN401
        context = ssl.create_default_context(cafile=str(self.files.ca))
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60, context=context) as answer:
            return json.loads(answer.read())


@pytest.fixture
def parts(require: Callable[[str], str], tmp_path: Path) -> Iterator[dict[str, EncryptedPart]]:
    found, pki = shipped_own_objects(), Pki(tmp_path / "pki")
    programs = {"prometheus": require("prometheus"), "alertmanager": require("prometheus-alertmanager")}
    made = {name: EncryptedPart(name, tmp_path / name, pki) for name in programs}
    addresses = {"localhost:9090": made["prometheus"].port, "alertmanager:9093": made["alertmanager"].port}
    with ExitStack() as ended:
        for name, part in made.items():
            part.write(found, addresses)
            if name == "prometheus":
                hurry(part.folder)
                command = [require("promtool"), "check", "web-config", str(part.folder / "web.yml")]
                subprocess.run(command, check=True, capture_output=True)
            else:
                (part.folder / "alertmanager.yml").write_text(yaml.safe_dump(ROUTES))
            process = part.start(programs[name], found)
            ended.callback(process.wait, 60)
            ended.callback(process.terminate)
            for certificate in ("before it runs", "while it runs"):
                part.files.until_shown(part.port, part.files.renew(certificate), process, part.log)
        yield made


def hurry(folder: Path) -> None:
    """Let Prometheus scrape what runs here, every second, and fire one alert."""
    path = folder / "prometheus.yml"
    config = yaml.safe_load(path.read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    running = [job for job in config["scrape_configs"] if job["job_name"] in {"prometheus", "alertmanager"}]
    config["scrape_configs"] = [{**job, "scrape_interval": "1s", "scrape_timeout": "1s"} for job in running]
    path.write_text(yaml.safe_dump(config))
    (folder / "test.yaml").write_text(yaml.safe_dump(RULES))


def alerts_in(client: AlertmanagerClient) -> set[str]:
    return {alert.labels.get("scope", "") for alert in client.read().alerts}


def test_scrapes_alerts_and_pages_pass_by_tls_and_a_renewed_certificate_is_shown(
    parts: dict[str, EncryptedPart], tmp_path: Path
) -> None:
    prometheus, alertmanager = parts["prometheus"], parts["alertmanager"]
    ca = str(alertmanager.files.ca)

    def scraped() -> dict[str, str]:
        targets = prometheus.ask("/api/v1/targets")["data"]["activeTargets"]
        return {one["labels"]["job"]: f"{one['health']} {one['scrapeUrl'].partition(':')[0]}" for one in targets}

    until(lambda: scraped() == {"prometheus": "up https", "alertmanager": "up https"}, scraped)
    now = time.time_ns() // 1_000_000
    posted = PostableAlert((("alertname", "MotcuaTest"), ("scope", "posted")), now, now + 600_000)
    with closing(AlertmanagerClient(alertmanager.url, ca=ca)) as client:
        with closing(Alertmanagers(alertmanager.url, ca=ca)) as sender:
            sender.submit([posted], now)
            until(lambda: alerts_in(client) >= {"rule", "posted"}, lambda: alerts_in(client))
        assert sender.deliveries[0].failed == 0
    other = str(Pki(tmp_path / "other", "Another authority").ca)
    for untrusted in ("", other):
        with closing(AlertmanagerClient(alertmanager.url, ca=untrusted)) as stranger:
            assert stranger.read().problem
    with pytest.raises(ConfigError, match=r"MOTCUA_ALERTMANAGER_CA: cannot read .*/none: No such file"):
        AlertmanagerClient(alertmanager.url, ca=str(tmp_path / "none"))
