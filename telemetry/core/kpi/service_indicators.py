"""The rows Q-* (queues), F-* (forecast), A-* (availability) and X-* (yearly indices) of the catalogue; values only.

Availability figures are named after the kind of the system (`portal_up_ms`), the others after their totals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.kpi.digital_indicators import CENTRE, HOME_AFFAIRS, INFORMATION, OFFICE
from telemetry.core.kpi.indicators import Indicator

if TYPE_CHECKING:
    from telemetry.core.kpi.indicators import Direction, IndicatorSource, IndicatorUnit


_OWN_EVIDENCE = {"Q-07", "Q-09", "Q-10", "Q-11", "Q-14"}
"""Rows of the halls that not every centre reports: their own figures show whether somebody does."""


def _queue_row(
    ident: str,
    names: tuple[str, str],
    unit: IndicatorUnit,
    figures: tuple[tuple[str, ...], tuple[str, ...]],
    formula: str,
    direction: Direction = "down",
) -> Indicator:
    """Return a row of the halls; durations are summed in ms and shown in s."""
    source: IndicatorSource = "totals" if figures[1] or ident in {"Q-01", "Q-03"} else "live"
    return Indicator(
        ident, *names, "procedures", CENTRE, unit, source, *figures, formula, direction, by_level=True,
        interval=ident == "Q-14", scale=1000 if unit == "s" else 1,
        evidence=("centres_live",) if source == "live" else () if ident in _OWN_EVIDENCE else ("issued", "called"),
    )  # fmt: skip


def _availability_row(ident: str, names: tuple[str, str], kind: str, strand_owner: str = INFORMATION) -> Indicator:
    return Indicator(
        ident, *names, "modernisation", strand_owner, "ratio", "totals",
        (f"{kind}_up_ms",), (f"{kind}_up_ms", f"{kind}_down_ms"),
        "up ÷ (up + down), without planned maintenance; unknown time is shown as coverage",
    )  # fmt: skip


def _live_share(ident: str, names: tuple[str, str], kind: str) -> Indicator:
    return Indicator(
        ident, *names, "modernisation", INFORMATION, "ratio", "live", (f"{kind}s_up",), (f"{kind}s_expected",),
        "devices that work now ÷ devices in service; a silent one does not work", by_level=True,
    )  # fmt: skip


def _index_row(ident: str, names: tuple[str, str], unit: IndicatorUnit) -> Indicator:
    return Indicator(
        ident, *names, "institutions", HOME_AFFAIRS, unit, "import", formula="published yearly; imported",
        direction="down" if unit == "rank" else "up",
    )  # fmt: skip


_CALLED, _ISSUED, _RATINGS = ("called",), ("issued",), ("ratings",)
SERVICE_INDICATORS: tuple[Indicator, ...] = (
    _queue_row("Q-01", ("Lượt khách đến", "Arrivals"), "count", (_ISSUED, ()), "tickets issued", "up"),
    _queue_row(
        "Q-02", ("Thời gian chờ trung bình mỗi lần gọi", "Mean wait"), "s",
        (("wait_sum_ms", "recall_delay_sum_ms"), ("wait_count",)),
        "Σ (last call − entry) ÷ segments with a wait; negative waits (crossed clocks) are counted apart",
    ),
    _queue_row(
        "Q-03", ("Thời gian chờ p90", "90th percentile of waits"), "s", (("wait_p90_ms",), ()),
        "nearest rank from the mergeable histogram, error ≤ 2 %",
    ),
    _queue_row(
        "Q-04", ("Mức dịch vụ trong 15 phút", "Service level at 15 minutes"), "ratio",
        (("level_good_900",), ("level_good_900", "level_bad_900")),
        "called by entry + 15 min ÷ decided at entry + 15 min; still waiting is a miss", "up",
    ),
    _queue_row(
        "Q-04b", ("Thời gian chờ trung bình mỗi lượt", "Mean wait per visit"), "s", (("wait_sum_ms",), _ISSUED),
        "Σ waits of all segments ÷ visits; Decision 468/QĐ-TTg: ≤ 30 min in 2022, ≤ 15 min by 2025",
    ),
    _queue_row(
        "Q-05", ("Thời gian chờ dài nhất hiện tại", "Longest current wait"), "s", (("longest_wait_ms",), ()),
        "max(now − entry) of those who wait"    ),
    _queue_row(
        "Q-06", ("Tỷ lệ bỏ về khi đang chờ", "Abandonment"), "ratio", (("abandoned",), _ISSUED),
        "abandoned while waiting ÷ issued; final after the day closes",
    ),
    _queue_row(
        "Q-06b", ("Tỷ lệ gọi không đến", "No-shows"), "ratio", (("no_show",), _ISSUED), "no-shows ÷ issued",
    ),
    _queue_row(
        "Q-07", ("Thời gian từ khi gọi đến quầy", "Way time"), "s", (("way_sum_ms",), ("way_count",)),
        "Σ (serving start − last call) ÷ tickets with a serving start",
    ),
    _queue_row(
        "Q-08", ("Thời gian phục vụ trung bình", "Mean service time"), "s",
        (("service_sum_ms",), ("service_count",)), "Σ (end − start − held) ÷ tickets with a sure service time",
    ),
    _queue_row(
        "Q-09", ("Hiệu suất quầy", "Counter utilisation"), "ratio",
        (("counter_busy_ms",), ("counter_open_ms",)), "busy time ÷ open time without breaks", "up",
    ),
    _queue_row(
        "Q-10", ("Quầy mở so với lịch", "Counters open against schedule"), "ratio",
        (("counter_open_scheduled_ms",), ("counter_scheduled_ms",)), "open time within the schedule ÷ schedule", "up",
    ),
    _queue_row(
        "Q-11", ("Chỉ số tải", "Load index"), "ratio", (("offered_work_ms",), ("counter_open_ms",)),
        "arrivals × mean service time ÷ open counter time; < 0.70 low, ≥ 1 overload",
    ),
    _queue_row(
        "Q-12", ("Thời gian để giải phóng hàng đợi", "Queue pressure"), "s", (("drain_ms",), ()),
        "largest of the halls: Σ mean service time today of those who wait ÷ open counters"    ),
    _queue_row(
        "Q-13", ("Số người còn chờ", "Waiting at the end of the interval"), "count", (("waiting",), ()),
        "tickets that wait at the end of the interval"    ),
    _queue_row(
        "Q-14", ("Hài lòng tại quầy", "Satisfaction at the desks"), "ratio", (("ratings_good",), _RATINGS),
        "ratings of 4 or 5 ÷ ratings, with Wilson's interval and the response rate", "up",
    ),
    Indicator(
        "F-01", "Sai số dự báo lượt khách", "Error of the arrivals forecast",
        "modernisation", CENTRE, "ratio", "live", ("forecast_error",), ("forecast_actual",),
        "Σ |actual − forecast| ÷ Σ actual over the half hours of the newest days that the forecast was tested on",
        "down", by_level=True, evidence=("forecast_actual",),
    ),
    Indicator(
        "F-02", "Số quầy cần mở", "Counters needed", "modernisation", CENTRE, "count", "live",
        ("counters_needed",), (), "Σ over centres of the most counters that a half hour of the next forecast day needs "
        "for the legal mean wait", "down", by_level=True, evidence=("counters_planned",),
    ),
    Indicator(
        "F-03", "Giữ lời hẹn thời gian chờ", "Promise kept", "modernisation", CENTRE, "ratio", "totals",
        ("promises_within",), ("promises",), "waits ≤ the p90 that was shown ÷ waits with a shown p90", by_level=True,
        evidence=("promises",),
    ),
    _availability_row("A-01", ("Hệ thống một cửa điện tử", "Electronic one-stop system"), "one-stop"),
    _availability_row("A-02", ("Cổng dịch vụ công của tỉnh", "Provincial portal"), "portal"),
    _availability_row("A-03", ("Cổng Dịch vụ công quốc gia", "National portal"), "national-portal"),
    Indicator(
        "A-04", "Kết nối với hệ thống của bộ", "Connections to ministry systems", "modernisation", INFORMATION,
        "ratio", "totals", ("connector_ok",), ("connector_ok", "connector_failed"),
        "requests that succeeded ÷ requests",
    ),
    _availability_row("A-05", ("Nền tảng tích hợp cấp tỉnh (LGSP)", "Provincial platform (LGSP)"), "platform"),
    _availability_row("A-06", ("Nền tảng quốc gia (NGSP)", "National platform (NGSP)"), "national-platform"),
    Indicator(
        "A-07", "Thanh toán qua PayGov thành công", "Payments through PayGov", "public_finance", INFORMATION, "ratio",
        "events", ("payments_ok",), ("payments_ok", "payments_gateway_error"),
        "successful ÷ (successful + gateway errors); cancelled by the user does not count",
    ),
    Indicator(
        "A-08", "Dịch vụ ký số", "Digital signature service", "modernisation", INFORMATION, "ratio", "events",
        ("signature_ok",), ("signature_ok", "signature_failed"), "calls that succeeded ÷ calls",
    ),
    Indicator(
        "A-09", "Dịch vụ định danh điện tử", "Electronic identity service", "modernisation", INFORMATION, "ratio",
        "events", ("logins_e_id", "logins_password", "logins_other", "logins_user_error"),
        ("logins_e_id", "logins_password", "logins_other", "logins_user_error", "logins_system_error"),
        "logins without a fault of the system ÷ logins",
    ),
    _availability_row("A-10", ("Máy chủ của ứng dụng di động", "Back end of the mobile applications"), "app"),
    _availability_row("A-11", ("Bộ phận một cửa các cấp", "One-stop desks"), "centre", CENTRE),
    _live_share("A-12", ("Thiết bị hoạt động", "Devices in service"), "device"),
    Indicator(
        "A-13", "Thông điệp bị mất", "Messages lost", "modernisation", INFORMATION, "ratio", "totals",
        ("rows_missing",), ("rows_numbered",), "row numbers not accounted for ÷ highest row number", "down",
    ),
    Indicator(
        "A-14", "Dữ liệu đầy đủ", "Completeness of data", "modernisation", INFORMATION, "ratio", "totals",
        ("rows_accounted",), ("rows_numbered",), "(stored + refused + declared dropped) ÷ highest row number",
    ),
    _live_share("A-15", ("Kiosk lấy số", "Ticket kiosks"), "kiosk"),
    _live_share("A-16", ("Màn hình gọi số", "Displays"), "display"),
    _live_share("A-17", ("Đường truyền của cơ sở", "Uplinks of the centres"), "gateway"),
    _availability_row("A-18", ("Hệ thống dữ liệu, sao lưu", "Data systems and backups"), "data"),
    Indicator(
        "A-19", "Chỉ nhận hồ sơ trực tuyến", "Online-only mode", "procedures", OFFICE, "s", "totals",
        ("open_online_only_ms", "online_only_declared_ms"), (),
        "Σ over centres of the opening hours in which desks served online dossiers only, as devices report it or the "
        "calendar declares it; desk objectives pause", "down", by_level=True, scale=1000,
        evidence=("counter_known_ms", "open_online_only_ms", "online_only_declared_ms"),
    ),
    _index_row("X-01", ("Chỉ số cải cách hành chính (PAR INDEX), thứ hạng", "PAR INDEX, rank"), "rank"),
    _index_row("X-01b", ("Chỉ số cải cách hành chính (PAR INDEX), điểm", "PAR INDEX, score"), "score"),
    _index_row("X-02", ("Chỉ số hài lòng SIPAS", "SIPAS"), "score"),
    _index_row("X-03", ("Chỉ số PAPI", "PAPI"), "score"),
    _index_row("X-04", ("Chỉ số PCI", "PCI"), "score"),
    _index_row("X-05", ("Chỉ số phát triển Chính phủ điện tử EGDI", "EGDI"), "score"),
)  # fmt: skip
