"""One element of a queue system's answer with a bracket or quotation mark too few or too many spoils no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.sources import damaged_list
from edge_agent.sources.content_coding import UnusableAnswer
from edge_agent.sources.queue_answer import QueueAnswer, parse_answer
from edge_agent.sources.queue_http import QueueHttpSource, QueueUnavailable
from edge_agent.sources.state import DeviceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.outbox import Outbox


def paid(t: int, **more: object) -> dict[str, Any]:
    return {"id": f"e{t}", "type": "payment.result", "t": t, "outcome": "ok", **more}


FIRST, LAST = paid(1), paid(3)
MIDDLE = json.dumps(paid(2, calls=[{"a": 1, "b": [2]}, {"a": 2}], sub={"x": {"y": "z"}}), separators=(",", ":"))


def body(middle: str, *, form: str = "object") -> bytes:
    events = f"[{json.dumps(FIRST)},{middle},{json.dumps(LAST)}]"
    return (events if form == "list" else f'{{"at": [7], "events":{events},"next":"c9"}}').encode()


def values(answer: QueueAnswer) -> list[object]:
    """Return the elements' values, None for what cannot be read."""

    def value(element: bytes) -> object:
        try:
            return json.loads(element)
        except ValueError:
            return None

    return [value(element) for element in answer.elements]


def damaged() -> Iterator[str]:
    """Yield the middle element without one of its signs, and with one sign too many at every place."""
    for place, sign in enumerate(MIDDLE):
        if sign in '[]{}",:':
            yield MIDDLE[:place] + MIDDLE[place + 1 :]
        yield from (MIDDLE[:place] + more + MIDDLE[place:] for more in '[]{}",')


@pytest.mark.parametrize("form", ["object", "list"])
def test_one_sign_too_few_or_too_many_leaves_the_neighbours(form: str) -> None:
    refused = []
    for middle in damaged():
        try:
            answer = parse_answer(body(middle, form=form))
        except UnusableAnswer:
            refused.append(middle)
            continue
        taken = values(answer)
        assert [taken[0], taken[-1]] == [FIRST, LAST], middle
        assert len(taken) in {3, 4, 5}, middle
        assert answer.next == ("c9" if form == "object" else None)
    assert refused == [f"[{MIDDLE}"], "the only place at which the end of the list cannot be told"


@pytest.mark.parametrize(
    "middle",
    [
        '{"id":"e2","type":"payment.result"', '{"id":"e2","t":2}}', '{"id":"e2","calls":[1,2}', '{"id":"e2","t":2]',
        '"id":"e2","t":2}', '{"id":"e2,"t":2}', '{"id":e2","t":2}', '{"id":"e2","sub":{"a":1}', '{"id":"e2","t":[[[2}',
        '{"id":"e2","t":"a}', "{", "}", "]", '"', '{"',
    ],
)  # fmt: skip
def test_a_damaged_element_is_counted_once_and_raises_an_alarm(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, middle: str
) -> None:
    alarms: list[tuple[str, str]] = []
    source = QueueHttpSource("http://127.0.0.1/q", DeviceState(), clock=lambda: 5)
    source.raise_alarm = lambda code, name: alarms.append((code, name))
    monkeypatch.setattr(QueueHttpSource, "fetch_answer", lambda *_: parse_answer(body(middle)))
    for _ in range(3):
        source.poll_once(outbox)
    times = [json.loads(row.body)["t"] for row in outbox.rows_after(0, 100)]
    assert (times, source.skipped_events, alarms) == ([1, 3], 1, [("events_skipped", "queue_http")])
    assert json.loads(outbox.cursor("queue_http"))["next"] == "c9"


@pytest.mark.parametrize("end", [10, 40, 90, -1, -2, -6, -14])
def test_an_answer_that_was_cut_off_moves_no_cursor(outbox: Outbox, monkeypatch: pytest.MonkeyPatch, end: int) -> None:
    def fetch(*_: object) -> QueueAnswer:
        try:
            return parse_answer(body(MIDDLE)[:end])
        except UnusableAnswer as error:
            raise QueueUnavailable(str(error)) from None

    monkeypatch.setattr(QueueHttpSource, "fetch_answer", fetch)
    source = QueueHttpSource("http://127.0.0.1/q", DeviceState())
    with pytest.raises(QueueUnavailable, match="JSON"):
        source.poll_once(outbox)
    assert (outbox.rows_after(0, 100), outbox.cursor("queue_http")) == ([], "")


def test_several_damaged_elements_spoil_only_themselves() -> None:
    parts = [json.dumps(paid(1)), '{"id":"a', json.dumps(paid(2)), '{"b":[1,2}', '{"c":1]', json.dumps(paid(3)), "{{"]
    assert [value for value in values(parse_answer(f"[{','.join(parts)}]".encode())) if value] == [
        paid(1), paid(2), paid(3)
    ]  # fmt: skip


def test_a_list_within_another_member_is_not_the_events() -> None:
    with pytest.raises(UnusableAnswer):
        parse_answer(b'{"meta": {"events": [{"id": 1]}, "x": [}')
    answer = parse_answer(b'{"meta": {"events": [1]}, "events": [{"id": 1], {"id": 2}], "next": 4}')
    assert (answer.elements, answer.next) == ([b'{"id": 1]', b'{"id": 2}'], "4")


def test_brackets_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damaged_list, "MAX_END_CHECKS", 3)
    with pytest.raises(UnusableAnswer, match="incomplete JSON"):
        parse_answer(b'{"events":[' + b'],"a":1,' * 20 + b'],"next":"1"}')
