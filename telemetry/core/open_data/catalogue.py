"""The published datasets: title, what a row is, columns with unit and formula; it must hold no rows and no licence."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from telemetry.core.fold.administrative_counts import DOSSIER_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

ColumnUnit = Literal["", "s", "d", "ratio", "tickets", "dossiers", "results", "date", "time", "yes/no"]
DatasetPeriod = Literal["day", "month", "declared"]
"""What the rows of a dataset are of: whole local days, whole local months, or declarations, which have no window."""
SUPPRESSED_COLUMN = "suppressed"
ALL_SERVICES = "*"
"""In the column `service`: all services of the centre together."""
WITHIN_S = 900
"""The threshold of the service level, s: the legal target of 15 minutes (Decision 468/QĐ-TTg)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; a ratio or mean names its formula and the columns of its numerator and denominator."""

    name: str
    text: str
    unit: ColumnUnit = ""
    formula: str = ""
    numerator: str = ""
    denominator: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One published table."""

    id: str
    title_vi: str
    title_en: str
    text_vi: str
    text_en: str
    period: DatasetPeriod
    row: str
    columns: tuple[Column, ...]
    has_centres: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns' names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def suppression(self) -> str:
        """Return which cells are left out; empty when none is."""
        return next((column.text for column in self.columns if column.name == SUPPRESSED_COLUMN), "")


_CENTRE = (
    Column("centre", "id of the centre"),
    Column("centre_name_vi", "its name in Vietnamese"),
    Column("centre_name_en", "its name in English"),
    Column("level", "its administrative level: province, district or commune"),
    Column("unit", "code of its administrative unit (General Statistics Office)"),
)
_DAY = (
    Column("date", "local day", "date"),
    Column("from", "start of the day, included, RFC 3339 with offset", "time"),
    Column("to", "end of the day, not included", "time"),
)
_MONTH = (
    Column("month", "local month, YYYY-MM", "date"),
    Column("from", "start of the month, included, RFC 3339 with offset", "time"),
    Column("to", "end of the month, not included", "time"),
)
_SETTLED = Column("settled", "yes: older than seven days; later data may still correct the row, and `no` rows often do")
_SUPPRESSED = Column(
    SUPPRESSED_COLUMN,
    "columns of this row that are left out, separated by spaces: counts from 1 to 4, means of fewer than 5, and counts "
    "from which those could be computed",
)
_PROBES = "heartbeats and probes, 5-minute totals"
_TICKETS = "ticket events of the desks, daily totals"
_DOSSIERS = "dossier events of the one-stop system, daily totals"


def _tickets(name: str, text: str) -> Column:
    return Column(name, text, "tickets", source=_TICKETS)


def _dossiers(name: str, text: str) -> Column:
    return Column(name, text, "dossiers", source=_DOSSIERS)


def _seconds(name: str, text: str) -> Column:
    return Column(name, text, "s", source=_PROBES)


AVAILABILITY = Dataset(
    "availability", "Mức độ sẵn sàng của trung tâm và hệ thống theo ngày",
    "Availability of centres and digital systems by day",
    "Thời gian mở cửa, hoạt động, ngừng và không rõ trong giờ làm việc của từng trung tâm và hệ thống số.",
    "Open, up, down and unknown time of each centre (in opening hours) and each digital system.",
    "day", "one centre or digital system on one local day", (
        *_DAY,
        Column("scope", "centre:ID or system:ID"), Column("kind", "centre, or the kind of the system"),
        Column("name_vi", "its name in Vietnamese"), Column("name_en", "its name in English"),
        Column("level", "administrative level of a centre, else empty"),
        Column("unit", "code of the administrative unit of a centre, else empty"),
        _seconds("open_s", "time in scope: up_s + down_s + unknown_s"),
        _seconds("up_s", "time in which it served"), _seconds("down_s", "time in which it did not serve"),
        _seconds("unknown_s", "time of which nothing is known"),
        _seconds("excluded_s", "maintenance, outages of the platform, and time before or after it is in service"),
        Column("availability", "share of the known time in which it served; empty without known time", "ratio",
               "up_s ÷ (up_s + down_s)", "up_s", "up_s + down_s", _PROBES),
        Column("availability_low", "the share if all unknown time was down", "ratio", "up_s ÷ open_s", "up_s",
               "open_s", _PROBES),
        Column("availability_high", "the share if all unknown time was up", "ratio", "(up_s + unknown_s) ÷ open_s",
               "up_s + unknown_s", "open_s", _PROBES),
        Column("coverage", "known share of the open time", "ratio", "(up_s + down_s) ÷ open_s", "up_s + down_s",
               "open_s", _PROBES),
        _SETTLED,
    ),
)  # fmt: skip
QUEUES = Dataset(
    "queues", "Hàng đợi theo trung tâm, lĩnh vực và ngày", "Queues by centre, service and day",
    "Lượt khách, kết quả, thời gian chờ và phục vụ, mức dịch vụ trong 15 phút.",
    "Tickets and how they ended, waits, service times, and the service level at 15 minutes.",
    "day", f"one service of one centre on one local day; service {ALL_SERVICES} is all of them", (
        *_DAY, *_CENTRE,
        Column("service", f"id of the service, or {ALL_SERVICES} for all services of the centre"),
        Column("service_name_vi", "its name in Vietnamese"), Column("service_name_en", "its name in English"),
        _tickets("issued", "tickets issued"), _tickets("served", "tickets served"),
        _tickets("abandoned", "visitors who left while they waited"),
        _tickets("no_show", "tickets called to which nobody came"),
        _tickets("transferred", "tickets sent on to another service"),
        _tickets("closed_eod", "tickets that the end of the day closed"),
        _tickets("waits", "calls with a wait"),
        Column("wait_mean_s", "mean wait from entry to call; 5 waits at least", "s", "Σ waits ÷ waits",
               "Σ waits", "waits", _TICKETS),
        Column("wait_p90_s", "90th percentile of the waits, error ≤ 2 %; 5 waits at least", "s",
               "nearest rank", "", "waits", _TICKETS),
        _tickets("service_times", "tickets with a known service time"),
        Column("service_mean_s", "mean service time; 5 at least", "s", "Σ service times ÷ service_times",
               "Σ service times", "service_times", _TICKETS),
        _tickets("decided_15min", "tickets of which it was decided whether they were called within 15 minutes"),
        _tickets("within_15min", "those of them that were"),
        Column("service_level_15min", "share called within 15 minutes; still waiting is a miss", "ratio",
               "within_15min ÷ decided_15min", "within_15min", "decided_15min", _TICKETS),
        _SETTLED, _SUPPRESSED,
    ),
)  # fmt: skip
DOSSIERS = Dataset(
    "dossiers", "Hồ sơ theo trung tâm, cấp và tháng", "Dossiers by centre, level and month",
    "Hồ sơ tiếp nhận theo kênh, hồ sơ giải quyết, đúng hạn, kết quả điện tử và thời gian giải quyết.",
    "Dossiers received by channel, resolved, in time, with an electronic result, and how long they took.",
    "month", "the dossiers of one administrative level that one centre reports, in one local month", (
        *_MONTH, *_CENTRE,
        Column("dossier_level", "administrative level that handles the dossiers"),
        _dossiers("received", "dossiers received: the sum of the channels"),
        *(_dossiers(f"received_{channel}", f"those that came through the channel `{channel}`")
          for channel in DOSSIER_CHANNELS),
        Column("online_share", "share received through the portal or its mobile application", "ratio",
               "(received_online + received_mobile) ÷ received", "received_online + received_mobile", "received",
               _DOSSIERS),
        _dossiers("resolved", "dossiers resolved"), _dossiers("resolved_on_time", "those resolved by their due time"),
        _dossiers("resolved_late", "those resolved after it"),
        Column("on_time_share", "share of those with a due time that were resolved by it", "ratio",
               "resolved_on_time ÷ (resolved_on_time + resolved_late)", "resolved_on_time",
               "resolved_on_time + resolved_late", _DOSSIERS),
        _dossiers("resolved_digital", "those with an electronic result"),
        Column("digital_share", "share of the results that are electronic", "ratio", "resolved_digital ÷ resolved",
               "resolved_digital", "resolved", _DOSSIERS),
        Column("processing_median_d", "median time from receipt to result, days of 24 hours, error ≤ 2 %; 5 at least",
               "d", "nearest rank", "", "resolved", _DOSSIERS),
        _SETTLED, _SUPPRESSED,
    ),
)  # fmt: skip
PROCEDURES = Dataset(
    "procedures", "Hồ sơ theo thủ tục hành chính và tháng", "Dossiers by procedure and month",
    "Hồ sơ tiếp nhận, tiếp nhận trực tuyến và giải quyết theo từng thủ tục mà nguồn dữ liệu ghi mã.",
    "Dossiers received, received online and resolved of each procedure whose code the sources carry.",
    "month", "the dossiers of one procedure that one centre reports, in one local month", (
        *_MONTH, *_CENTRE,
        Column("procedure", "code of the procedure, as the source writes it"),
        _dossiers("received", "dossiers received"),
        _dossiers("received_online", "those received through the portal or its mobile application"),
        Column("online_share", "share received online", "ratio", "received_online ÷ received", "received_online",
               "received", _DOSSIERS),
        _dossiers("resolved", "dossiers resolved"),
        _SETTLED, _SUPPRESSED,
    ),
)  # fmt: skip
_INDICATOR = (
    Column("kpi", "id of the indicator"),
    Column("kpi_name_vi", "its name in Vietnamese"),
    Column("kpi_name_en", "its name in English"),
    Column("level", "administrative level; empty: over all"),
)
KPIS = Dataset(
    "kpis", "Chỉ số theo tháng", "Indicators by month",
    "Giá trị của từng chỉ số chuyển đổi số, hàng đợi và mức độ sẵn sàng, kèm tử số, mẫu số và nguồn.",
    "The value of each indicator of digital government, queues and availability with numerator, denominator, source.",
    "month", "one indicator at one administrative level, or over all, in one local month", (
        *_MONTH, *_INDICATOR,
        Column("value", "the indicator's value in its unit; empty without one"),
        Column("value_unit", "ratio (0 to 1), s, or count"),
        Column("numerator", "sum of the numerator figures"), Column("denominator", "sum of the denominator figures"),
        Column("low", "lower end of Wilson's 95 % interval, of shares of a sample", "ratio"),
        Column("high", "upper end of it", "ratio"),
        Column("state", "ok; no_data: nothing to divide by"),
        Column("formula", "how the value is made"),
        Column("numerator_figures", "the figures that are added up, separated by +"),
        Column("denominator_figures", "likewise; value = numerator ÷ denominator (of figures in ms: ÷ 1000)"),
        Column("source", "events, catalogue or totals"),
        Column("declared", "yes: published counts stand for figures that nobody reports"),
        Column("direction", "up: a larger value is better; down: a smaller one"),
        _SETTLED, _SUPPRESSED,
    ),
    has_centres=False,
)  # fmt: skip
TARGETS = Dataset(
    "targets", "Chỉ tiêu đã công bố", "Published targets",
    "Chỉ tiêu của từng chỉ số với thời hạn và đơn vị chịu trách nhiệm.",
    "The targets of each indicator with their dates and who answers for them.",
    "declared", "one target of one indicator for one date", (
        *_INDICATOR,
        Column("title_vi", "the target in Vietnamese"), Column("title_en", "the target in English"),
        Column("value", "value to be reached"),
        Column("value_unit", "ratio (0 to 1), s, count, rank, score, milestone"),
        Column("by", "day by which it is to be reached", "date"), Column("owner", "who answers for it"),
        Column("start_value", "measured value from which its path begins"),
        Column("start_day", "day of that value", "date"),
        Column("done", "day on which a milestone was reached", "date"),
        Column("source", "the declaration"),
    ),
    has_centres=False,
)  # fmt: skip
COMMITMENTS = Dataset(
    "commitments", "Cam kết đã ký", "Signed commitments",
    "Giá trị chỉ số mà đơn vị hoặc cơ quan đã ký cam kết, với thời hạn.",
    "The values of indicators that units and agencies have signed for, with their dates.",
    "declared", "one commitment of one unit or agency", (
        *_INDICATOR,
        Column("unit", "code of the unit; empty for an agency"), Column("unit_name", "its name"),
        Column("agency", "name of the agency; empty for a unit"),
        Column("value", "value committed to"), Column("value_unit", "ratio (0 to 1), s, count, rank, score, milestone"),
        Column("by", "day by which it is to be reached", "date"), Column("signed", "day of the signature", "date"),
        Column("document", "the document that was signed"), Column("sample", "yes: a made-up example"),
        Column("source", "the declaration"),
    ),
    has_centres=False,
)  # fmt: skip
DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {one.id: one for one in (AVAILABILITY, QUEUES, DOSSIERS, PROCEDURES, KPIS, TARGETS, COMMITMENTS)}
)
"""Every dataset in the order in which it is listed."""
