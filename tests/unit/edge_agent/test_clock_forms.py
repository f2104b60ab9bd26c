"""Times and durations of logs are read as people and spreadsheets write them, and refused where they could be two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from edge_agent.mapping.cell_parsing import CellError, is_shortened_number
from edge_agent.mapping.clock_forms import seconds_of_day
from edge_agent.mapping.expressions import ExpressionError, ReplayContext, parse_expression

CONTEXT = ReplayContext(ZoneInfo("Asia/Ho_Chi_Minh"), {}, "S")
COMMA = ReplayContext(ZoneInfo("Asia/Ho_Chi_Minh"), {}, "S", ",")
AT_7_31 = 1793579460000


def read(spec: dict[str, Any], *cells: str, context: ReplayContext = CONTEXT) -> object:
    return parse_expression(spec).read_value(dict(zip("abc", cells, strict=False)), context)


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("7:31", "7:31:0"), ("07:31:05,5", "7:31:5.5"), ("7h31", "7:31:0"), ("07g31", "7:31:0"), ("7h", "7:0:0"),
        ("7 giờ 31", "7:31:0"), ("7 giờ 31 phút 5 giây", "7:31:5"), ("7h31'", "7:31:0"), ("7:31 SA", "7:31:0"),
        ("1:15 CH", "13:15:0"), ("7:31 sáng", "7:31:0"), ("1 giờ 15 chiều", "13:15:0"), ("15h30 chiều", "15:30:0"),
        ("8h tối", "20:0:0"), ("12h trưa", "12:0:0"), ("12:30 đêm", "0:30:0"), ("11 giờ đêm", "23:0:0"),
        ("12:05 AM", "0:5:0"), ("12:05 p.m.", "12:5:0"), ("1 PM", "13:0:0"), ("07.31", "7:31:0"), ("7.31", "7:31:0"),
        ("0.313194444444444", "7:31:0"), ("0,5", "12:0:0"), ("0731", "7:31:0"), ("073105", "7:31:5"),
        ("24:00", "24:0:0"), ("'7:31", "7:31:0"), ("7:31 giờ", "7:31:0"), ("7h:31", "7:31:0"), ("T07:31:05", "7:31:5"),
        ("7 giờ rưỡi", "7:30:0"), ("8 giờ kém 5", "7:55:0"), ("1 giờ kém 10 phút chiều", "12:50:0"),
        ("SA 7:31", "7:31:0"), ("buổi chiều 1:15", "13:15:0"), ("1:15 CH.", "13:15:0"),
        ("1899-12-30 07:31:00", "7:31:0"),
        ("12/30/1899 7:31", "7:31:0"), ("00/01/1900 07:31:00", "7:31:0"), ("1900-01-01T07:31", "7:31:0"),
    ],
)  # fmt: skip
def test_a_time_of_day_in_a_local_form(text: str, clock: str) -> None:
    hours, minutes, seconds = map(float, clock.split(":"))
    day = datetime(2026, 11, 1, 17, tzinfo=UTC).timestamp() * 1000
    assert read({"date": "a", "time": "b"}, "2026-11-02", text) == day + (hours * 3600 + minutes * 60 + seconds) * 1000


@pytest.mark.parametrize(
    "text",
    [
        "0.50",
        "731",
        "7.3",
        "7:5",
        "24:01",
        "13:30 PM",
        "25h",
        "\uff17:31",
        "1",
        "8h sang",
        "7h kém",
        "0 giờ kém 5",
        "7 giờ kém 60",
        "1901-01-01 7:31",
        "7:31+07:00",
        "9" * 5000,
    ],
)
def test_a_time_of_day_that_could_be_two_or_none_is_a_fault(text: str) -> None:
    with pytest.raises(CellError, match="time_format"):
        read({"date": "a", "time": "b"}, "2026-11-02", text)


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("h.mm", "0.50", 3000),
        ("hhmm", "731", 27060),
        ("day", "0.50", 43200),
        ("min", "451", 27060),
        ("min", "7:31", 27060),
    ],
)
def test_a_declared_form_decides(form: str, text: str, seconds: int) -> None:
    spec = {"date": "a", "time": "b", "time_format": form}
    assert read(spec, "2026-11-02", text) == AT_7_31 - 27_060_000 + seconds * 1000


@pytest.mark.parametrize(
    ("unit", "text", "seconds"),
    [
        ("s", "39", 39), ("min", "39", 2340), ("min", "0:39:00", 2340), ("s", "1h05", 3900), ("s", "1h 05m", 3900),
        ("min", "39 phút", 2340), ("h", "1 giờ 5 phút", 3900), ("s", "PT39M", 2340), ("s", "P1DT2H", 93600),
        ("s", "-PT5M", -300), ("s", "-0:05:00", -300), ("h:mm:ss", "27:15:00", 98100), ("mm:ss", "39:00", 2340),
        ("s", "1 day, 2:03:04", 93784), ("s", "0 days 00:39:00", 2340), ("day", "0.5", 43200), ("h:mm", "PT39M", 2340),
        ("s", "5'30\"", 330), ("s", "1,234.5", 1234.5), ("s", "1 234", 1234), ("s", "'39", 39), ("s", "1.5h", 5400),
        ("s", "5\u203230\u2033", 330), ("s", "1 tiếng 5 phút", 3900), ("min", "nửa tiếng", 1800),
        ("s", "1 giờ rưỡi", 5400),
        ("s", "30''", 30), ("s", "1 hour, 5 minutes", 3900), ("s", "1 giờ và 5 phút", 3900), ("s", "2d3h", 183600),
        ("s", "1 tuần", 604800), ("s", "1.00:39:00", 88740), ("s", "0.00:39:00.5000000", 2340.5), ("s", "500 ms", 0.5),
        ("s", "1h05m30", 3930), ("s", "39 min.", 2340), ("s", "+0:39:00", 2340),
    ],
)  # fmt: skip
def test_a_duration_in_a_local_form(unit: str, text: str, seconds: float) -> None:
    assert read({"column": "a", "unit": unit}, text) == seconds * 1000


@pytest.mark.parametrize(
    "text",
    [
        "1,234",
        "39:00",
        "1_000",
        "nan",
        "inf",
        "1e999",
        "\uff11\uff12",
        "P",
        "=A1+B1",
        "#N/A",
        "1" * 5000,
        "~39 phút",
        "<1 phút",
        "1.0:39:00",
        "1:2:3:4",
        "5 giờ và",
        "rưỡi",
    ],
)
def test_a_duration_that_could_be_two_or_none_is_a_fault(text: str) -> None:
    with pytest.raises(CellError):
        read({"column": "a", "unit": "s"}, text)


def test_a_decimal_comma_is_read_strictly() -> None:
    spec = {"column": "a", "unit": "s"}
    assert [read(spec, text, context=COMMA) for text in ("1.234,5", "1,5", "1 234", "7")] == [
        1234500,
        1500,
        1234000,
        7000,
    ]
    with pytest.raises(CellError, match="decimal"):
        read(spec, "1.5", context=COMMA)


@pytest.mark.parametrize(
    ("spec", "cells"),
    [
        ({"date": "a", "date_format": "%d/%m/%y", "time": "b"}, ("02/11/26", "7:31")),
        ({"date": "a", "date_format": "ngày %d tháng %m năm %Y", "time": "b"}, ("Ngày 02 tháng 11 năm 2026", "7h31")),
        ({"date": "a", "date_format": "%d/%m/%Y", "time": "b"}, ("02/11/2026 0:00:00", "7:31")),
        ({"date": "a", "date_format": "excel", "time": "b"}, ("46328", "0.313194444")),
        ({"column": "a", "format": "excel"}, ("46328.3131944444",)),
        ({"column": "a", "format": "iso"}, ("2026-11-02T07:31:00,000+07:00",)),
        ({"column": "a", "format": "iso"}, ("2026-11-02 07:31:00 +0700",)),
        ({"column": "a", "format": "iso"}, ("2026-11-02T00:31:00Z",)),
        ({"column": "a", "format": "unix_s"}, ("1793579460",)),
        ({"column": "a", "format": "unix_ms"}, ("1793579460000",)),
        ({"column": "a", "format": "unix_us"}, ("1793579460000000",)),
        ({"column": "a", "format": "%d/%m/%Y %I:%M %p"}, ("02/11/2026 7:31 sáng",)),
        ({"column": "a", "format": "%d/%m/%Y %Hh%M"}, ("02/11/2026 7h31",)),
        ({"column": "a", "format": "iso", "minus": {"column": "b", "unit": "min"}}, ("2026-11-02T08:10", "39")),
    ],
)  # fmt: skip
def test_a_time_in_a_local_form(spec: dict[str, Any], cells: tuple[str, ...]) -> None:
    assert read(spec, *cells) == AT_7_31


@pytest.mark.parametrize(
    ("spec", "cells"),
    [
        ({"column": "a", "format": "unix_ms"}, ("1793579460",)),
        ({"column": "a", "format": "unix_s"}, ("1793579460000",)),
        ({"date": "a", "date_format": "%d/%m/%Y", "time": "b"}, ("02/11/2569", "7:31")),
        ({"date": "a", "date_format": "excel", "time": "b"}, ("0", "0.5")),
        ({"column": "a", "format": "iso"}, ("9999-12-31T23:59:59",)),
        ({"column": "a", "format": "iso"}, ("0001-01-01T00:00:00+14:00",)),
    ],
)
def test_a_time_in_another_unit_or_calendar_is_a_fault(spec: dict[str, Any], cells: tuple[str, ...]) -> None:
    with pytest.raises(CellError):
        read(spec, *cells)


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("%Y%Y", "twice"), ("%d/%m %H:%M", "no whole date"), ("%d/%m/%Y %I:%M", "%I without %p"),
        ("%d/%m/%Y %Q", "bad dir"),
        ("%d/%m/%Y %H:%M %p", "%p without %I"), ("%d/%m/%Y %H:%M %Z", "%z for an offset"), ("%d/%m/%Y %", "stray %"),
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_read_a_time_is_a_fault_of_the_mapping(pattern: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        parse_expression({"column": "a", "format": pattern})
    with pytest.raises(ExpressionError):
        parse_expression({"date": "a", "time": "b", "date_format": pattern})


def test_a_shortened_number_is_recognised() -> None:
    assert [is_shortened_number(text) for text in ("1.23457E+12", "1,2E+05", "123", "A1E+10")] == [
        True,
        True,
        False,
        False,
    ]


SPECS = (
    {"column": "a", "unit": "s"}, {"column": "a", "unit": "h:mm"}, {"column": "a", "format": "iso"},
    {"column": "a", "format": "unix_us"}, {"column": "a", "format": "excel"}, {"column": "a", "format": "int"},
    {"column": "a", "format": "%d/%m/%Y %I:%M %p"}, {"date": "a", "time": "b", "near": "a"},
    {"date": "a", "time": "b", "date_format": "excel"}, {"column": "a", "format": "number"},
)  # fmt: skip
CELLS = (
    st.text() | st.text("0123456789:.,-+ hgPTMSEe/'giờphútSACH", max_size=25) | st.sampled_from(["9" * 5000, "1e308"])
)


@settings(max_examples=400, deadline=None)
@given(spec=st.sampled_from(SPECS), a=CELLS, b=CELLS, context=st.sampled_from([CONTEXT, COMMA]))
def test_no_cell_raises_anything_but_a_cell_error(spec: dict[str, Any], a: str, b: str, context: ReplayContext) -> None:
    try:
        read(spec, a, b, context=context)
    except CellError:
        return


@given(st.integers(0, 86_399))
def test_every_second_is_read_back(second: int) -> None:
    hours, minutes, seconds = second // 3600, second // 60 % 60, second % 60
    for text in (
        f"{hours}:{minutes:02}:{seconds:02}",
        f"{hours}h{minutes:02}m{seconds:02}s",
        f"{second / 86_400:.12f}",
    ):
        assert seconds_of_day(text) == second
