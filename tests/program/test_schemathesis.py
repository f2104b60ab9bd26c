"""Schemathesis over the API and the agent's local endpoint: what they answer is what their documents promise."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig

from api import event_stream
from edge_agent.outbox import Outbox
from edge_agent.sources import local_http, local_openapi
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol.event_texts import EXAMPLE_TIME
from tests.program.network import busy, network
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [
    pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning"),
]
BOUNDED = sized(short=8, long=80, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
_folder = tempfile.TemporaryDirectory(prefix="motcua-schemathesis-")
_net = busy(network(Path(_folder.name)))
_net.store.set_cursor((_net.time[0] - 1000) * 1000)
# What a schema cannot say may be refused with a documented problem: an opaque cursor, a window that ends before it
# begins, an id that is not declared, the JSON inside of a line.
_CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", "422"]},
        "negative_data_rejection": {"expected-statuses": ["400", "403", "404", "405", "408", "411", "413", "422"]},
    }
}
api_schema = schemathesis.openapi.from_asgi(
    "/openapi.json", _net.client.app, config=SchemathesisConfig.from_dict(_CONFIG)
)
local_schema = schemathesis.openapi.from_dict(
    local_openapi.build_openapi(EXAMPLE_TIME), config=SchemathesisConfig.from_dict(_CONFIG)
)
# One operation's events make thousands of requests; a session for each would take as long as the requests.
_session = requests.Session()
_session.trust_env = False


@pytest.fixture(autouse=True)
def short_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stream end after its first message: its validator reads to the end."""
    endless = event_stream.stream_events

    async def stream_first(*args: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        async for event in endless(*args):
            yield event
            return

    monkeypatch.setattr(event_stream, "stream_events", stream_first)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A local endpoint whose clock shows the moment for which its document was made."""
    outbox = Outbox(Path(_folder.name) / "o.db", lambda: "s")
    source = local_http.HttpSource(0, DeviceState(), lambda: EXAMPLE_TIME)
    stop = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_http._EventServer, "timeout", 0.01)
        thread = threading.Thread(target=source.run, args=(outbox, stop))
        thread.start()
        while not source.bound_port:
            assert thread.is_alive()
        yield f"http://127.0.0.1:{source.bound_port}"
        stop.set()
        thread.join(5)
    outbox.close()


@schemathesis.serializer("application/x-ndjson")
def write_lines(_ctx: Any, value: Any) -> bytes:  # noqa: ANN401
    return str(value).encode()


@api_schema.parametrize()
@BOUNDED
def test_the_api_answers_what_its_document_promises(case: Any) -> None:  # noqa: ANN401
    case.call_and_validate()


@local_schema.parametrize()
@BOUNDED
def test_the_local_endpoint_answers_what_its_document_promises(case: Any, endpoint: str) -> None:  # noqa: ANN401
    case.call_and_validate(base_url=endpoint, session=_session)
