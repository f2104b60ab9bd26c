"""Every JSON example of the reference of events is posted to a real local endpoint."""

from __future__ import annotations

import http.client
import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.outbox import Outbox
from edge_agent.sources import local_http
from edge_agent.sources.local_http import HttpSource
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol import event_texts, events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "events.md"
EXAMPLES = re.findall(
    r"^### (\S+)\n.*?^```json\n(.*?)\n```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
AGENT_ONLY = {str(kind.__struct_config__.tag) for kind in (*event_texts.AGENT_ONLY_EVENTS, *ev.SERVER_EVENTS)}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpSource]:
    """An endpoint whose clock shows the moment of the examples."""
    outbox = Outbox(tmp_path_factory.mktemp("outbox") / "o.db", lambda: "s")
    source = HttpSource(0, DeviceState(), lambda: event_texts.EXAMPLE_TIME)
    stop = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_http._EventServer, "timeout", 0.01)
        thread = threading.Thread(target=source.run, args=(outbox, stop))
        thread.start()
        while not source.bound_port:
            assert thread.is_alive()
        yield source
        stop.set()
        thread.join(5)
    outbox.close()


def post(source: HttpSource, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    line = http.client.HTTPConnection("127.0.0.1", source.bound_port, timeout=5)
    try:
        line.request("POST", path, body)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        line.close()


def test_the_page_has_an_example_of_every_event() -> None:
    tags = [str(kind.__struct_config__.tag) for kind in (*ev.AGENT_EVENTS, *ev.SERVER_EVENTS)]
    assert sorted(tag for tag, _ in EXAMPLES) == sorted(tags)


@pytest.mark.parametrize(("tag", "example"), EXAMPLES, ids=[tag for tag, _ in EXAMPLES])
def test_the_example_is_accepted_or_refused_as_the_page_says(endpoint: HttpSource, tag: str, example: str) -> None:
    assert json.loads(example)["type"] == tag
    for path, status in (("/events?validate=1", 200), ("/events", 201)):
        answer = post(endpoint, path, example.encode())
        if tag in AGENT_ONLY:
            assert (answer[0], answer[1]["field"]) == (400, "type")
        else:
            assert answer[0] == status, answer
