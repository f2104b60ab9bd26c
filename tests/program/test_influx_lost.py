"""The server itself: set up once, taken over, killed and started again, away, exchanged for another, wrong token."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.providers.influx import KINDS
from infra.providers.influx.client import InfluxClient
from infra.providers.resource_kind import ProviderError, difference
from tests.program.influx_world import EVERY, PLANTED, WITHIN, Cut, Made, World, client, server, world
from tests.servers import InfluxServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.providers.influx.resource import InfluxKind
    from infra.providers.resource_kind import Props

__all__ = ["client", "server", "world"]
FIRST = {"username": "motcua", "org": "operators", "bucket": "operators"}


@pytest.fixture
def virgin(influxd_program: str, tmp_path: Path) -> Iterator[Callable[[], InfluxServer]]:
    """Return a function that starts a server which is not set up."""
    begun: list[InfluxServer] = []

    def start(port: int = 0) -> InfluxServer:
        begun.append(InfluxServer(influxd_program, tmp_path / f"virgin{len(begun)}", port).start(set_up=False))
        return begun[-1]

    yield start
    for one in begun:
        one.end()


def instance(client: InfluxClient, *, accept_new: bool = False) -> InfluxKind:
    return KINDS["instance"](client, accept_new)


def set_up(client: InfluxClient, **more: object) -> Made:
    kind = instance(client)
    inputs, failures = kind.check({}, {**FIRST, **more})
    assert failures == []
    ident, outputs = kind.create(inputs)
    return Made(kind, ident, outputs, inputs)


def text_of(error: BaseException) -> str:
    """Return all that a log could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__) + repr(error.__context__)


# --- set-up -----------------------------------------------------------------------------------


def test_a_virgin_server_is_set_up_once_and_taken_over_ever_after(virgin: Callable[[], InfluxServer]) -> None:
    one = virgin()
    client = InfluxClient(one.url, one.token)
    first, again = set_up(client), set_up(client)
    assert (again.id, dict(again.outputs)) == (first.id, dict(first.outputs))
    assert first.outputs["adopted"] is False
    assert "password" not in first.outputs
    assert first.drift() == frozenset()
    first.delete()
    assert first.read() is not None
    organisation = KINDS["organisation"](client, False)
    inputs, _ = organisation.check({}, {"name": "operators"})
    ident, outputs = organisation.create(inputs)
    assert (ident, outputs["adopted"]) == (first.outputs["org_id"], False)
    organisation.delete(ident, outputs)
    assert organisation.read(ident, outputs) is not None, "an operator token lives in it"
    client.close()


@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "unanswered"])
@pytest.mark.parametrize("calls", range(7))
def test_a_set_up_that_died_at_any_call_is_recognised_as_ours(
    virgin: Callable[[], InfluxServer], calls: int, asked: bool
) -> None:
    one = virgin()
    cut = InfluxClient(one.url, one.token, transport=Cut(calls, asked=asked), pauses_s=())
    try:
        set_up(cut)
    except ProviderError:
        client = InfluxClient(one.url, one.token)
        made = set_up(client)
        assert (made.outputs["adopted"], made.drift()) == (False, frozenset())
        (org,) = one.call("GET", "/api/v2/orgs?org=operators")["orgs"]
        assert org["description"] == "managed-by=motcua"
        client.close()
    else:
        assert calls == 6
    cut.close()


def test_a_server_that_somebody_set_up_is_taken_over_with_its_token_only(server: InfluxServer) -> None:
    client = InfluxClient(server.url, server.token)
    made = set_up(client)
    assert (made.outputs["adopted"], made.outputs["org_id"]) == (True, "")
    known = set_up(client, org=server.org)
    assert known.outputs["org_id"] == server.org_id()
    assert server.call("GET", f"/api/v2/orgs?org={server.org}")["orgs"][0]["description"] == ""
    client.close()
    stranger = InfluxClient(server.url, "not-the-token")
    with pytest.raises(ProviderError, match=r"was set up before and refuses .*config motcua:influxToken"):
        set_up(stranger)
    stranger.close()


def test_a_given_password_is_the_first_users(virgin: Callable[[], InfluxServer]) -> None:
    one = virgin()
    client = InfluxClient(one.url, one.token)
    set_up(client, password=PLANTED)
    assert (client.accepts_password("motcua", PLANTED), client.accepts_password("motcua", "another")) == (True, False)
    client.close()


# --- the server goes and comes ----------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_killed_server_is_an_error_and_after_its_start_all_is_as_before(world: World, name: str) -> None:
    made = world.make(name)
    client = InfluxClient(world.server.url, world.server.token, pauses_s=())
    kind = world.kind(name, client)
    world.server.kill()
    calls: list[Callable[[], object]] = [
        lambda: kind.read(made.id, made.outputs),
        lambda: kind.create(made.inputs),
        lambda: kind.update(made.id, made.outputs, made.inputs),
        lambda: kind.delete(made.id, made.outputs),
        lambda: kind.locate(made.inputs),
    ]
    try:
        for call in calls:
            with pytest.raises(ProviderError, match=r"does not answer .*is it running, and is the address right"):
                call()
    finally:
        world.server.start()
    assert made.drift() == frozenset()
    client.close()


def test_what_was_half_made_when_the_server_was_killed_is_finished_after_its_start(world: World) -> None:
    for name in EVERY:
        for calls in range(12):
            cut, transport = world.cut(calls, asked=True)
            with pytest.raises(ProviderError):
                world.make(name, cut)
            cut.close()
            if transport.seen[-1].startswith("POST"):
                break
    world.server.kill()
    world.server.start()
    for name in EVERY:
        made = world.make(name)
        assert (world.count(name), made.drift()) == (1, frozenset()), name


def test_a_read_waits_for_a_server_that_comes_back(world: World) -> None:
    made = world.make("bucket")
    world.server.kill()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            world.server.start()

    patient = InfluxClient(world.server.url, world.server.token, sleep=wait)
    found = world.kind("bucket", patient).read(made.id, made.outputs)
    assert found is not None
    assert (found.id, waits) == (made.id, [0.2, 0.5])
    patient.close()


@pytest.mark.parametrize(("status", "tries"), [(429, 5), (503, 5), (500, 1), (401, 1), (404, 1)])
def test_only_what_may_pass_and_changes_nothing_twice_is_tried_again(status: int, tries: int) -> None:
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(status, json={"code": "unavailable", "message": "not now"})

    client = InfluxClient("http://influx", "opaque", transport=httpx.MockTransport(refuse), sleep=lambda _: None)
    for method in (client.get, client.find, client.delete):
        asked.clear()
        with pytest.raises(ProviderError, match=f"{status} not now"):
            method("/x")
        assert len(asked) == tries
    asked.clear()
    with pytest.raises(ProviderError):
        client.post("/x", {})
    assert asked == ["POST"]


# --- wrong token, wrong server ----------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_wrong_token_is_an_error_and_never_a_thing_that_is_gone(world: World, name: str) -> None:
    made = world.make(name)
    stranger = InfluxClient(world.server.url, "wrong")
    kind = world.kind(name, stranger, accept_new=True)
    calls: list[Callable[[str, Props], object]] = [kind.read, kind.delete]
    for call in calls:
        with pytest.raises(ProviderError, match=r"401 .*is the operator token right\? config motcua:influxToken"):
            call(made.id, made.outputs)
    assert made.drift() == frozenset()
    stranger.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503])
def test_a_proxys_page_is_no_proof_that_a_thing_is_gone(status: int) -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(status, html="<h1>no</h1>"))
    client = InfluxClient("http://influx", "opaque", transport=page, pauses_s=())
    outputs = {"org_id": "ab" * 8, "org": "o", "name": "n"}
    for name in EVERY:
        for call in (KINDS[name](client, True).read, KINDS[name](client, True).delete):
            with pytest.raises(ProviderError, match="not an answer of InfluxDB"):
                call("cd" * 8, outputs)


@pytest.mark.parametrize("said", [{"code": "not found"}, {"code": "not found", "message": "x"}])
def test_what_the_code_says_counts_and_not_the_status(said: dict[str, str]) -> None:
    client = InfluxClient(
        "http://influx", "opaque", transport=httpx.MockTransport(lambda _: httpx.Response(500, json=said))
    )
    assert client.find("/x") is None


@pytest.fixture
def exchanged(virgin: Callable[..., InfluxServer], influxd_program: str, tmp_path: Path) -> Iterator[World]:
    """A world whose server was exchanged for an empty one at the same address."""
    old = InfluxServer(influxd_program, tmp_path / "old").start()
    client = InfluxClient(old.url, old.token)
    found = World(old, client, "org0")
    found.made["organisation"] = found.make("organisation", name="org0")
    found.made["instance"] = set_up(client)
    for name in ("raw", "other"):
        found.made[name] = found.make("bucket", name=name)
    found.made["remote"] = found.make("remote", name="upper")
    found.made |= {f"{name} thing": found.make(name) for name in WITHIN}
    old.kill()
    found.server = virgin(old.port)
    set_up(client)
    yield found
    client.close()


def test_another_server_at_the_address_is_told_and_loses_nothing_from_the_state(exchanged: World) -> None:
    for name, made in exchanged.made.items():
        with pytest.raises(ProviderError, match=r"another InfluxDB answers at .* acceptNew for one run"):
            made.read()
        if name != "instance":
            with pytest.raises(ProviderError, match="another InfluxDB answers"):
                made.delete()


def test_a_new_server_may_take_the_lost_ones_place_when_told_so(exchanged: World) -> None:
    for name, made in exchanged.made.items():
        kind = type(made.kind)(exchanged.client, True)
        assert kind.read(made.id, made.outputs) is None
        if name == "instance":
            continue
        ident, outputs = kind.create(made.inputs)
        found = kind.read(ident, outputs)
        assert found is not None
        assert difference(kind, found.outputs, made.inputs).changed == frozenset()


# --- a changed address or token ---------------------------------------------------------------


def changed_to(server: InfluxServer, **more: object) -> tuple[Made, Made]:
    """Return the instance as it is in the state, and the same with another address or token."""
    client = InfluxClient(server.url, server.token)
    made = set_up(client, url=server.url, token_digest="a")
    client.close()
    checked, found = made.change(**more)
    assert found.changed == set(more)
    assert not found.replaces
    return made, Made(made.kind, made.id, made.outputs, checked)


def moved(wanted: Made, url: str, token: str, *, accept_new: bool = False) -> Props:
    client = InfluxClient(url, token, pauses_s=())
    try:
        return instance(client, accept_new=accept_new).update(wanted.id, wanted.outputs, wanted.inputs)
    finally:
        client.close()


def test_the_same_server_behind_a_changed_address_or_token_is_accepted(server: InfluxServer) -> None:
    url = f"http://localhost:{server.port}"
    _, wanted = changed_to(server, url=url, token_digest="b")
    outputs = moved(wanted, url, server.token)
    assert (outputs["url"], outputs["token_digest"], outputs["instance"]) == (url, "b", wanted.id)


def test_a_wrong_token_is_refused_when_it_is_configured(server: InfluxServer) -> None:
    _, wanted = changed_to(server, token_digest="b")
    with pytest.raises(ProviderError, match=r"refuses the operator token; is the operator token right\?"):
        moved(wanted, server.url, "wrong")


def test_an_address_without_a_server_is_refused_when_it_is_configured(server: InfluxServer) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    _, wanted = changed_to(server, url=url)
    with pytest.raises(ProviderError, match=r"does not answer .*is it running, and is the address right"):
        moved(wanted, url, server.token)


def test_an_address_of_another_server_is_refused_when_it_is_configured(
    server: InfluxServer, virgin: Callable[[], InfluxServer]
) -> None:
    other = virgin()
    _, wanted = changed_to(server, url=other.url)
    with pytest.raises(ProviderError, match=r"another InfluxDB answers .* acceptNew for one run"):
        moved(wanted, other.url, server.token)
    with pytest.raises(ProviderError, match="pulumi refresh --run-program"):
        moved(wanted, other.url, server.token, accept_new=True)


def test_a_state_of_an_earlier_version_has_neither_and_is_checked_once(server: InfluxServer) -> None:
    client = InfluxClient(server.url, server.token)
    made = set_up(client)
    checked, found = made.change(url=server.url, token_digest="a")
    assert found.changed == {"url", "token_digest"}
    outputs = made.kind.update(made.id, made.outputs, checked)
    assert difference(made.kind, outputs, checked).changed == frozenset()
    client.close()


# --- secrets ----------------------------------------------------------------------------------


def test_no_error_holds_a_secret() -> None:
    def parrot(request: httpx.Request) -> httpx.Response:
        echo = f"{request.headers['Authorization']} {request.content.decode()} {PLANTED}"
        return httpx.Response(400, json={"code": "invalid", "message": echo})

    client = InfluxClient("http://influx", "operator-secret", transport=httpx.MockTransport(parrot), pauses_s=())
    for body in ({"remoteAPIToken": PLANTED}, {"password": PLANTED}, {"token": PLANTED}):
        for call in (client.post, client.patch):
            with pytest.raises(ProviderError, match="400") as told:
                call("/x", body)
            assert "operator-secret" not in text_of(told.value)
            assert PLANTED not in text_of(told.value)
    assert "operator-secret" not in repr(client)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError])
def test_a_failure_on_the_way_is_told_by_its_kind_only(failure: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure(f"operator-secret {request.headers['Authorization']}", request=request)

    client = InfluxClient("http://influx", "operator-secret", transport=httpx.MockTransport(fail), pauses_s=())
    with pytest.raises(ProviderError, match=failure.__name__) as told:
        client.post("/remotes", {"remoteAPIToken": PLANTED})
    assert "secret" not in text_of(told.value)


@pytest.mark.parametrize("url", ["", "influx:8086", "ftp://h", "http://", "http://user:secret@h", "http://h:99999"])
def test_an_address_that_cannot_be_is_refused_without_its_text(url: str) -> None:
    with pytest.raises(ProviderError, match="set config motcua:influx, url") as told:
        InfluxClient(url, "operator-secret")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("token", ["", "with\nline", "chữ"])
def test_a_token_that_no_header_takes_is_an_error_without_its_text(server: InfluxServer, token: str) -> None:
    client = InfluxClient(server.url, token, pauses_s=())
    with pytest.raises(ProviderError) as told:
        client.get("/orgs")
    assert not token or token not in text_of(told.value)
    client.close()
