"""User name and password in the URL of any setting: decoded, or refused with the way to write them, and never shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from edge_agent.config import AgentConfig
from telemetry import wiring
from telemetry.config import load_settings
from telemetry.errors import ConfigError
from telemetry.mqtt.address import parse_broker_url
from telemetry.slo.alertmanager import Alertmanagers
from telemetry.source_settings import find_setting_faults
from telemetry.url_credentials import BadUrl, hide_credentials, split_url

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(WORDS.filter(bool), WORDS)
def test_what_was_percent_encoded_comes_out_as_it_was(user: str, word: str) -> None:
    address = parse_broker_url(f"mqtts://{quote(user, safe='')}:{quote(word, safe='')}@broker.example")
    assert (address.username, address.password) == (user, word)
    assert (address.host, address.port, address.tls) == ("broker.example", 8883, True)


@pytest.mark.parametrize(
    ("credentials", "unencoded"),
    [
        ("dev:s3cret@word", "'@'"), ("dev:s3cret:word", "':'"), ("dev:s3cret/word", "/ ? or #"),
        ("dev:12/s3cretword", ""), ("dev:s3cret#word", "/ ? or #"), ("dev:s3cret?word", "/ ? or #"),
        ("dev:s3cret%word", "%"), ("dev:s3cretword%", "%"), ("dev:s3cret word", "' '"), ("dev:s3cret[word", "'['"),
        ("dev:s3cretword%ff", "UTF-8"),
    ],
)  # fmt: skip
def test_a_sign_that_must_be_encoded_is_named_and_the_password_is_not(credentials: str, unencoded: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_broker_url(f"mqtt://{credentials}@127.0.0.1:1883")
    text = str(refused.value)
    assert "%40" in text
    assert unencoded in text
    assert "s3cret" not in text
    assert "word" not in text.replace("password", "")


@pytest.mark.parametrize(
    "url",
    [
        "tcp://dev:s3cret@h", "mqtt://h:0", "mqtt://h:99999", "mqtt://h:x", "mqtt://", "mqtt:///x", "h:1883", "",
        "mqtt://h/topic", "mqtt://h?x=1", "mqtt://:s3cret@h", "mqtt://dev:s3cret%00@h", "mqtt://[::1", "mqtt://h h",
        "mqtt://dev:" + "s3cret" * 12_000 + "@h",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_a_fault_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_broker_url(url)
    assert "s3cret" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://[::1]:1884", "::1", 1884), ("mqtt://h", "h", 1883), ("MQTT://h/", "h", 1883),
        ("mqtt://dev@h", "h", 1883),
        ("mqtts://h", "h", 8883),
    ],
)  # fmt: skip
def test_plain_addresses_are_as_before(url: str, host: str, port: int) -> None:
    address = parse_broker_url(url)
    assert (address.host, address.port) == (host, port)


def test_the_password_is_in_no_representation() -> None:
    settings = load_settings(
        {
            "MOTCUA_MQTT": "mqtt://dev:s3cret@h",
            "MOTCUA_ALERTMANAGER": "http://a:s3cret@h",
            "MOTCUA_STORE_TOKEN": "s3cret",
        }
    )
    agent = AgentConfig("c1-kiosk1", "c1", "mqtt://dev:s3cret@h", outbox=None)  # type: ignore[arg-type]
    assert "s3cret" not in repr(settings) + repr(agent)
    assert settings.mqtt.password == "s3cret"


@pytest.mark.parametrize("store", ["mysql://u:s3cret@h", "influxdb+http://u:s3cret@h?org=o&bucket=b"])
def test_a_store_with_a_password_is_refused_without_showing_it(store: str) -> None:
    with pytest.raises(ConfigError) as refused:
        wiring.open_store(store)
    assert "s3cret" not in str(refused.value)
    if store.startswith("mysql"):
        with pytest.raises(ConfigError) as refused:
            load_settings({"MOTCUA_STORE": store})
        assert "s3cret" not in str(refused.value)
    else:
        assert "MOTCUA_STORE_TOKEN" in str(refused.value)


@pytest.mark.parametrize("word", ["s3cret@word", "s3cret/word", "s3cret#word", "s3cret%word"])
def test_alertmanagers_address_has_the_same_rules(word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Alertmanagers(f"http://ops:{word}@127.0.0.1:9093")
    assert "%40" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_alertmanager_gets_the_decoded_password() -> None:
    manager = Alertmanagers("http://ops:p%40ss%23%2F%25@127.0.0.1:9")
    try:
        sender = manager._senders[0]
        header = next(sender._client.auth.auth_flow(sender._client.build_request("GET", "http://x"))).headers  # type: ignore[union-attr]
        assert header["Authorization"] == "Basic b3BzOnBAc3MjLyU="
        assert "p%40" not in sender._display_url
    finally:
        manager.close()


@pytest.mark.parametrize("url", ["http://u:s3cret@h/x", "http://u:s3/cret@h/x", "ftp://u:s3cret@h/x"])
def test_a_queue_systems_address_with_a_password_is_refused_without_showing_it(url: str) -> None:
    faults = find_setting_faults({"kind": "queue_http", "url": url})
    assert [fault.key for fault in faults] == ["url"]
    assert "s3" not in faults[0].problem


def test_what_is_hidden_is_all_before_the_last_at() -> None:
    assert hide_credentials("mqtt://a:b@c@d:1") == "mqtt://…@d:1"
    assert hide_credentials("mqtt://d:1") == "mqtt://d:1"
    assert split_url("http://h/@user").rest == "/@user"
    with pytest.raises(BadUrl):
        split_url("http//h")
