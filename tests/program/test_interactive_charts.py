"""Interactive charts as values: texts as in the table, the target inside the axis, what a builder refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from api.pages.charts.interactive import ChartFrame, PlottedColumn, PlottedSeries, TargetLine, build_interactive_chart
from api.pages.charts.plots import PLOT_HEIGHT
from api.pages.frame.catalogues import load_messages
from api.pages.frame.language import PageLocale

if TYPE_CHECKING:
    from api.pages.charts.interactive import ChartUnit

LOCALE = PageLocale("vi", load_messages()["vi"], ZoneInfo("Asia/Ho_Chi_Minh"))
COLUMNS = [PlottedColumn("Thứ 2", "T2"), PlottedColumn("Thứ 3", "T3", closed=True), PlottedColumn("Thứ 4", "T4")]


def frame(unit: ChartUnit) -> ChartFrame:
    return ChartFrame("c", "Chờ", unit, "Ngày")


def test_values_are_texts_of_the_readers_language_and_a_missing_one_is_a_dash() -> None:
    series = [PlottedSeries("A", (1.5, None, 12.0))]
    texts = {
        unit: [row[0] for row in build_interactive_chart(LOCALE, frame(unit), series, COLUMNS).cells]
        for unit in ("minutes", "percent", "milliseconds", "number")
    }  # fmt: skip
    assert texts == {
        "minutes": ["1,5 phút", "–", "12 phút"],
        "percent": ["1,5%", "–", "12%"],
        "milliseconds": ["2 ms", "–", "12 ms"],
        "number": ["1,5", "–", "12"],
    }


def test_a_target_lies_inside_the_axis_and_the_summary_names_the_highest_value() -> None:
    series = [PlottedSeries("Trung bình", (3.0, None, 5.0), as_bars=True), PlottedSeries("Không có", (None,) * 3)]
    chart = build_interactive_chart(LOCALE, frame("minutes"), series, COLUMNS, TargetLine(15, "Mục tiêu"))
    assert chart.picture.ticks[-1][1] >= 15
    assert chart.target_y is not None
    assert 0 < chart.target_y < PLOT_HEIGHT
    assert chart.summary == "Từ Thứ 2 đến Thứ 4. Trung bình cao nhất: 5 phút, Thứ 4."
    assert [column.closed for column in chart.picture.columns] == [False, True, False]
    assert chart.picture.columns[0].tip == "Thứ 2: Trung bình 3 phút, Không có –"


def test_counts_of_zero_are_no_data_but_a_share_of_zero_is() -> None:
    zero = [PlottedSeries("A", (0.0, None, 0.0))]
    assert not build_interactive_chart(LOCALE, frame("number"), zero, COLUMNS).has_data
    assert build_interactive_chart(LOCALE, frame("percent"), zero, COLUMNS).has_data
    assert not build_interactive_chart(LOCALE, frame("percent"), [PlottedSeries("A", (None,) * 3)], COLUMNS).has_data
    assert build_interactive_chart(LOCALE, frame("percent"), zero, COLUMNS).picture.ticks[-1][1] == 100
    assert build_interactive_chart(LOCALE, frame("number"), [], []).summary == ""


def test_more_series_than_styles_and_values_that_do_not_fit_are_refused() -> None:
    for series in ([PlottedSeries("A", (1.0,))], [PlottedSeries("A", (1.0, 2.0, 3.0))] * 7):
        with pytest.raises(ValueError, match="at most 6 series, each with 3 values"):
            build_interactive_chart(LOCALE, frame("number"), series, COLUMNS)
