"""The rows DG-* of the catalogue: digitisation, online services, documents, petitions, dossiers; values only.

The numbers and formulas are those of the province's programme of 2021 and of Decision 468/QĐ-TTg and 766/QĐ-TTg.
"""

from __future__ import annotations

from telemetry.core.fold.administrative_counts import DOSSIER_CHANNELS
from telemetry.core.kpi.indicators import Indicator

OFFICE, CENTRE = "Văn phòng UBND tỉnh", "Trung tâm Phục vụ hành chính công tỉnh"
INFORMATION, HOME_AFFAIRS = "Sở Thông tin và Truyền thông", "Sở Nội vụ"
RECEIVED = tuple(f"received_{channel}" for channel in DOSSIER_CHANNELS)
RESOLVED = tuple(f"resolved_{channel}" for channel in DOSSIER_CHANNELS)
RECEIVED_ONLINE, RESOLVED_ONLINE = ("received_online", "received_mobile"), ("resolved_online", "resolved_mobile")
EFORM_SESSIONS = ("eform_submitted", "eform_ineligible", "eform_error", "eform_abandoned")
LOGINS = ("logins_e_id", "logins_password", "logins_other")

DIGITAL_INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "DG-01", "Số hóa kết quả giải quyết thủ tục hành chính", "Digitised results of procedures",
        "procedures", OFFICE, "ratio", "events", ("resolved_digital",), RESOLVED,
        "results with a signed electronic result ÷ dossiers resolved", by_level=True,
        note_vi="Với tốc độ tối thiểu (tăng 20 điểm phần trăm mỗi năm), cấp xã chỉ đạt 95 % vào cuối năm 2025.",
        note_en="At the minimum pace (20 points more a year) the communes reach only 95 % at the end of 2025.",
    ),
    Indicator(
        "DG-02", "Thủ tục hành chính có hồ sơ giải quyết trực tuyến", "Procedures whose dossiers are handled online",
        "procedures", OFFICE, "ratio", "events", ("procedures_resolved_online",), ("catalogue_procedures",),
        "procedures with at least one online dossier resolved ÷ procedures in force",
        by_level=True, evidence=(*RESOLVED, *RECEIVED),
    ),
    Indicator(
        "DG-02b", "Dịch vụ công trực tuyến có phát sinh hồ sơ", "Online services with dossiers",
        "procedures", OFFICE, "ratio", "events",
        ("procedures_with_online_dossiers",), ("catalogue_partial", "catalogue_full"),
        "procedures with at least one online dossier ÷ online services (partial and full)",
        by_level=True, evidence=("procedures_with_online_dossiers",),
        note_vi="Tỷ lệ 46 % công bố năm 2021 tính trên toàn bộ 1.758 thủ tục (809/1.758); trên 1.481 dịch vụ công trực "
        "tuyến là 54,6 %.",
        note_en="The 46 % published for 2021 are of all 1,758 procedures (809/1,758); of 1,481 online services it is "
        "54.6 %.",
    ),
    Indicator(
        "DG-03", "Thủ tục hành chính có thanh toán trực tuyến", "Procedures with online payment",
        "public_finance", OFFICE, "ratio", "events", ("procedures_paid_online",), ("catalogue_with_fee",),
        "procedures with a fee and at least one successful online payment ÷ procedures with a fee",
        by_level=True, evidence=("payments_ok", "payments_gateway_error", "payments_user_cancel"),
    ),
    Indicator(
        "DG-03b", "Hồ sơ nộp phí trực tuyến", "Dossiers whose fee was paid online",
        "public_finance", OFFICE, "ratio", "events", ("resolved_paid_online",), ("resolved_with_fee",),
        "dossiers with a fee paid online ÷ dossiers with a fee", by_level=True,
    ),
    Indicator(
        "DG-04", "Mức độ hài lòng về giải quyết thủ tục hành chính", "Satisfaction with the handling of procedures",
        "procedures", CENTRE, "ratio", "totals", ("ratings_good",), ("ratings",),
        "ratings of 4 or 5 ÷ all ratings", by_level=True, interval=True,
    ),
    Indicator(
        "DG-05", "Thủ tục hành chính nội bộ được công bố, công khai, cập nhật kịp thời",
        "Internal procedures published, public and up to date",
        "procedures", HOME_AFFAIRS, "ratio", "catalogue", ("catalogue_internal_published",), ("catalogue_internal",),
        "internal procedures published and up to date ÷ internal procedures in force", by_level=True,
    ),
    Indicator(
        "DG-06", "Dịch vụ công trực tuyến toàn trình (mức độ 4)", "Full online services (level 4)",
        "modernisation", OFFICE, "ratio", "catalogue", ("catalogue_full",), ("catalogue_procedures",),
        "procedures with full online service ÷ procedures in force", by_level=True,
        note_vi="Mức độ 3 và 4 được thay bằng một phần và toàn trình từ năm 2022; mức độ 4 được tính là toàn trình.",
        note_en="Levels 3 and 4 became partial and full in 2022; level 4 counts as full.",
    ),
    Indicator(
        "DG-07", "Dịch vụ công tích hợp trên Cổng Dịch vụ công quốc gia",
        "Services integrated with the national portal",
        "modernisation", INFORMATION, "ratio", "catalogue",
        ("catalogue_on_national_portal",), ("catalogue_partial", "catalogue_full"),
        "online services on the national portal ÷ online services",
    ),
    Indicator(
        "DG-07b", "Hồ sơ đồng bộ lên Cổng Dịch vụ công quốc gia", "Dossiers transferred to the national portal",
        "modernisation", INFORMATION, "ratio", "events", ("sync_synced",), ("sync_dossiers",),
        "dossiers that arrived ÷ dossiers due for transfer",
    ),
    Indicator(
        "DG-08", "Biểu mẫu điện tử hoàn thành", "Completion of electronic forms",
        "modernisation", INFORMATION, "ratio", "events", ("eform_submitted", "eform_ineligible"), EFORM_SESSIONS,
        "(submitted + not eligible) ÷ sessions started",
    ),
    Indicator(
        "DG-09", "Văn bản đi ký số", "Outgoing documents signed digitally",
        "modernisation", INFORMATION, "ratio", "events", ("outgoing_signed",), ("outgoing",),
        "outgoing documents with a digital signature ÷ outgoing documents", by_level=True,
    ),
    Indicator(
        "DG-10", "Đăng nhập bằng định danh điện tử", "Logins by electronic identity",
        "modernisation", INFORMATION, "ratio", "events", ("logins_e_id",), LOGINS,
        "logins by electronic identity ÷ logins",
    ),
    Indicator(
        "DG-11", "Văn bản đi đóng dấu điện tử", "Outgoing documents with an electronic seal",
        "modernisation", INFORMATION, "ratio", "events", ("outgoing_sealed",), ("outgoing",),
        "outgoing documents with an electronic seal ÷ outgoing documents", by_level=True,
    ),
    Indicator(
        "DG-12", "Văn bản điện tử", "Electronic documents",
        "modernisation", OFFICE, "ratio", "events", ("documents_electronic",), ("documents",),
        "electronic documents ÷ all documents", by_level=True,
    ),
    Indicator(
        "DG-13", "Hồ sơ nộp qua thiết bị di động", "Dossiers from mobile devices",
        "modernisation", INFORMATION, "ratio", "events", ("received_mobile",), RECEIVED_ONLINE,
        "dossiers from mobile applications ÷ online dossiers",
    ),
    Indicator(
        "DG-14", "Phản ánh, kiến nghị trả lời đúng hạn", "Petitions answered in time",
        "institutions", OFFICE, "ratio", "events", ("petitions_on_time",), ("petitions_timed",),
        "petitions answered in time ÷ petitions answered", by_level=True,
    ),
    Indicator(
        "DG-14b", "Hài lòng về trả lời phản ánh, kiến nghị", "Satisfaction with answers to petitions",
        "institutions", OFFICE, "ratio", "events", ("petitions_satisfied",), ("petitions_rated",),
        "satisfied ÷ rated answers", by_level=True, interval=True,
    ),
    Indicator(
        "DG-15", "Chi phí mỗi giao dịch", "Cost per transaction",
        "public_finance", OFFICE, "count", "declared", formula="total cost of a service ÷ completed transactions",
        direction="down",
    ),
    Indicator(
        "DG-16", "Hồ sơ giải quyết đúng hạn", "Dossiers resolved in time",
        "procedures", OFFICE, "ratio", "events",
        ("resolved_on_time",), ("resolved_on_time", "resolved_late", "backlog_overdue"),
        "resolved by the due time ÷ (resolved with a due time + open past due)", by_level=True,
        evidence=("resolved_on_time", "resolved_late"),
        note_vi="Hồ sơ quá hạn chưa giải quyết được lấy từ số liệu tồn đọng mới nhất.",
        note_en="Open dossiers past due are those of the latest backlog snapshot.",
    ),
    Indicator(
        "DG-17", "Hồ sơ nộp trực tuyến", "Dossiers received online",
        "procedures", OFFICE, "ratio", "events", RECEIVED_ONLINE, RECEIVED,
        "dossiers received online ÷ dossiers received", by_level=True,
    ),
    Indicator(
        "DG-17b", "Số hồ sơ nộp trực tuyến", "Number of dossiers received online",
        "procedures", OFFICE, "count", "events", RECEIVED_ONLINE, (),
        "dossiers received online, from the portal and from mobile applications", by_level=True,
        evidence=RECEIVED,
    ),
    Indicator(
        "DG-18", "Giao dịch số đã hoàn thành", "Digital take-up",
        "modernisation", OFFICE, "ratio", "events", RESOLVED_ONLINE, RESOLVED,
        "dossiers resolved that came online ÷ dossiers resolved; help at a desk does not count as digital",
    ),
    Indicator(
        "DG-19", "Tỷ lệ hoàn thành giao dịch trực tuyến", "Completion rate of online transactions",
        "modernisation", OFFICE, "ratio", "events", ("eform_submitted", "eform_ineligible"), EFORM_SESSIONS,
        "completed ÷ started; “not eligible” is completed, an error or giving up is not",
    ),
    Indicator(
        "DG-20", "Chiến lược trí tuệ nhân tạo của tỉnh đến năm 2030", "The province's AI strategy to 2030",
        "modernisation", INFORMATION, "milestone", "declared", formula="done or not, by its date",
    ),
)  # fmt: skip
