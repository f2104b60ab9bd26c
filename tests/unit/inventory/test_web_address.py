"""An address as people write it is encoded as a browser does, or refused with the reason."""

from __future__ import annotations

import shutil
import unicodedata
from typing import TYPE_CHECKING

import pytest

from edge_agent.config import load
from edge_agent.sources.probe import Probe, ProbeOutcome, run_probe
from telemetry import inventory
from telemetry.errors import ConfigError, InventoryError
from telemetry.source_settings import find_setting_faults, probe_target_fault
from telemetry.web_address import HostPort, encode_web_address, parse_host_port
from tests.raw_server import raw_server, saying

if TYPE_CHECKING:
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("https://portal.example", "https://portal.example/"),
        ("https://portal.example/tra-cứu", "https://portal.example/tra-c%E1%BB%A9u"),
        ("https://portal.example/tra cuu", "https://portal.example/tra%20cuu"),
        ("https://portal.example/?q=hồ sơ", "https://portal.example/?q=h%E1%BB%93%20s%C6%A1"),
        ("https://portal.example?q=1", "https://portal.example/?q=1"),
        ("https://portal.example/a%20b?c=%C3%A0", "https://portal.example/a%20b?c=%C3%A0"),
        ("https://portal.example/100%?a=b?c", "https://portal.example/100%?a=b?c"),
        ("https://portal.example/#/tra-cuu", "https://portal.example/"),
        ('https://portal.example/<"a">', "https://portal.example/%3C%22a%22%3E"),
        ("https://portal.example/a\\b", "https://portal.example/a/b"),
        ("HTTPS://PORTAL.example/Path", "https://portal.example/Path"),
        ("https://cổng.example/", "https://xn--cng-qmz.example/"),
        ("https://Cổng.example/", "https://xn--cng-qmz.example/"),
        (unicodedata.normalize("NFD", "https://cổng.example/"), "https://xn--cng-qmz.example/"),
        ("https://portal.example./", "https://portal.example/"),
        ("https://my_host/", "https://my_host/"),
        ("https://10.83.0.10:8443/health", "https://10.83.0.10:8443/health"),
        ("http://[2001:DB8::1]/", "http://[2001:db8::1]/"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("http://portal.example:/", "http://portal.example/"),
        ("  http://portal.example/ ", "http://portal.example/"),
    ],
)
def test_a_web_address_is_encoded_as_a_browser_does(text: str, encoded: str) -> None:
    assert encode_web_address(text) == encoded
    assert encode_web_address(encoded) == encoded
    assert probe_target_fault("http", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "portal.example", "htp://portal.example/", "ftp://portal.example/", "://portal.example/", "",
        "https:/portal.example/", "https:portal.example", "https:///portal", "https://", "https://:443/", "https://?a",
        "https://portal .example/", "https://portal..example/", "https://.portal.example/", "https://-a.example/",
        "https://portal.example:0/", "https://portal.example:99999/", "https://portal.example:https/",
        "https://portal.example:80:80/", "https://http://portal.example/", "http://https:/portal.example/",
        "https://user:secret@portal.example/", "https://user@portal.example/", "https://user:se/cret@portal.example/",
        "http://2001:db8::1/", "http://[2001:db8::1/", "http://[2001:db8::g]/", "http://[10.0.0.1]/",
        "http://10.0.0.256/", "http://10.0.0/", "http://10.0.0.1.2/", "http://123/",
        "https://portal.example/a\tb", "https://por\ntal.example/", "https://portal.example/\n", "https:\\\\portal\\a",
        "https://<host>/", "https://portal.example,other.example/", "https://" + "a" * 64 + ".example/",
        "https://portal\u200b.example/", "https://portal%2eexample/",
    ],
)  # fmt: skip
def test_a_mistake_in_a_web_address_is_a_fault(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_web_address(text)
    fault = probe_target_fault("http", text)
    assert fault is not None
    assert "secret" not in fault.problem
    (url_fault,) = find_setting_faults({"kind": "queue_http", "url": text})
    assert url_fault.key == "url"
    assert "secret" not in url_fault.problem


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("portal.example:443", HostPort("portal.example", 443)),
        ("portal.example", HostPort("portal.example", None)),
        ("tcp://portal.example:22/", HostPort("portal.example", 22)),
        ("https://portal.example/a?b", HostPort("portal.example", 443)),
        ("TLS://Portal.example", HostPort("portal.example", 443)),
        ("http://portal.example", HostPort("portal.example", 80)),
        ("[2001:db8::1]:22", HostPort("2001:db8::1", 22)),
        ("cổng.example:22", HostPort("xn--cng-qmz.example", 22)),
    ],
)
def test_host_and_port_are_read(text: str, place: HostPort) -> None:
    assert parse_host_port(text) == place


@pytest.mark.parametrize(
    ("probe", "target"),
    [
        ("tcp", "portal.example"), ("tcp", "tcp://portal.example"), ("tcp", "[::1]"), ("tcp", "::1:22"),
        ("tcp", "portal.example:0"), ("tcp", "portal.example:65536"), ("tcp", "portal.example:ssh"),
        ("tcp", "udp://portal.example:53"), ("tcp", "portal.example:22/path"), ("tcp", "portal example:22"),
        ("tcp", "user@portal.example:22"), ("tcp", ":22"), ("tcp", "//portal.example:22\n"),
        ("tls", "ftp://portal.example"), ("tls", "portal.example:99999"), ("tls", "10.0.0.256:443"),
        ("tls", "2001:db8::1"),
        ("dns", "portal..example"), ("dns", "10.0.0.1"), ("dns", "portal example"), ("dns", "portal.example/a"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_host_and_port_is_a_fault(probe: str, target: str) -> None:
    fault = probe_target_fault(probe, target)
    assert fault is not None
    assert fault.remedy


def test_the_inventory_names_file_and_line_of_a_mistake(tmp_path: Path) -> None:
    folder = tmp_path / "inventory"
    shutil.copytree(inventory.default_path(), folder)
    text = (folder / "systems.toml").read_text(encoding="utf-8")
    assert text.count('"https://portal.example/"') == 1
    line = text[: text.index('"https://portal.example/"')].count("\n") + 1
    for target, problem in (("htp://portal.example/", "http:// or https://"), ("https://portal .example/", "name")):
        (folder / "systems.toml").write_text(text.replace("https://portal.example/", target), encoding="utf-8")
        with pytest.raises(InventoryError) as caught:
            inventory.load(folder)
        (fault,) = caught.value.faults
        assert (fault.file.endswith("systems.toml"), fault.line, fault.field) == (True, line, "target")
        assert problem in fault.problem
    (folder / "systems.toml").write_text(
        text.replace("https://portal.example/", "https://cổng.example/tra cứu"), encoding="utf-8"
    )
    assert inventory.load(folder).systems["vn83-portal"].target == "https://cổng.example/tra cứu"


@pytest.mark.parametrize("path", ["/tra-cứu", "/tra cuu", "/?q=hồ sơ", "/a#b", "/a%20b"])
def test_a_probe_asks_as_a_browser_does(path: str) -> None:
    with raw_server(saying(OK)) as server:
        target = f"{server.url}{path}"
        assert run_probe(Probe("s", "http", target, 10)) == ProbeOutcome(None, 200)
        expected = encode_web_address(target).removeprefix(server.url)
        assert server.requests[0].startswith(f"GET {expected} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ('kind = "probe"\nsystem = "vn-ngsp"\nprobe = "http"\ntarget = "htp://ngsp.example/"', "target"),
        ('kind = "probe"\nsystem = "vn-ngsp"\nprobe = "tcp"\ntarget = "ngsp.example"', "target"),
        ('kind = "queue_http"\nurl = "http://10.0.0.256/events"', "url"),
    ],
)
def test_the_agent_does_not_start_with_a_mistake_and_names_its_line(tmp_path: Path, source: str, field: str) -> None:
    path = tmp_path / "agent.toml"
    text = f'device = "vn83-83-kiosk1"\ncentre = "vn83-83"\n[[source]]\n{source}\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert (fault.line, fault.field) == (len(text.splitlines()), field)
