"""Columns with data of persons are told by their headers, and a mapping that reads one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.personal_columns import is_personal_column
from telemetry.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path

PERSONAL = [
    "Họ tên",
    "Họ và tên",
    "HỌ TÊN NGƯỜI NỘP",
    "ho_ten",
    "Tên người nộp",
    "Người nộp hồ sơ",
    "Chủ hồ sơ",
    "Số điện thoại",
    "SĐT",
    "Điện thoại liên hệ",
    "Số CCCD",
    "CCCD/CMND",
    "Số CMND",
    "Căn cước công dân",
    "Số định danh cá nhân",
    "Địa chỉ",
    "Địa chỉ thường trú",
    "Email",
    "E-mail",
    "Ngày sinh",
    "Năm sinh",
    "Mã số thuế",
    "Số BHXH",
    "Biển số xe",
    "Số tài khoản",
    "full_name",
    "firstName",
    "customer.phone",
    "applicant.name",
    "phone",
    "address",
    "passport",
    "date of birth",
    "dob",
    "Ghi chú",
    "national_id",
    "id card",
]
IMPERSONAL = [
    "Mã hồ sơ",
    "Mã thủ tục",
    "Tên thủ tục",
    "Lĩnh vực",
    "Cấp thực hiện",
    "Hình thức nộp",
    "Ngày tiếp nhận",
    "Ngày hẹn trả",
    "Ngày trả kết quả",
    "Trạng thái",
    "Phí, lệ phí (đồng)",
    "Hình thức thanh toán",
    "Kết quả điện tử",
    "Số phiếu",
    "Quầy",
    "case",
    "channel",
    "department",
    "started",
    "ended",
    "planned_end",
    "ticket.no",
    "desk.service",
    "call_id",
    "server",
    "vru+line",
    "id",
    "status",
    "state",
    "counter",
    "name",
    "Tên",
    "mobile",
    "Số thứ tự",
    "Số hồ sơ",
    "queue",
    "Thẻ",
    "STT",
    "Ngày nộp",
    "Giờ lấy số",
    "Số hóa giấy tờ",
    "Bản sao chứng thực điện tử",
    "phone_booking",
    "email_sent",
]


@pytest.mark.parametrize("header", PERSONAL)
def test_a_header_of_data_of_persons_is_recognised(header: str) -> None:
    assert is_personal_column(header)


@pytest.mark.parametrize("header", IMPERSONAL)
def test_a_header_of_other_data_is_not_taken_for_one(header: str) -> None:
    assert not is_personal_column(header)


def test_a_mapping_that_reads_such_columns_is_refused_with_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        """
name = "d"
title = { vi = "Hồ sơ", en = "Dossiers" }
zone = "Asia/Ho_Chi_Minh"
[services]
land = { vi = "Đất đai", en = "Land" }
[[event]]
type = "dossier.received"
dossier = { ticket = ["Số CCCD", "Ngày"] }
service = { const = "land" }
procedure = { column = "Họ tên", format = "id" }
when = { column = "Số điện thoại", not_empty = true }
t = { column = "Ngày", format = "%d/%m/%Y" }
""",
        "utf-8",
    )
    with pytest.raises(MappingError) as caught:
        load_mapping(str(file))
    assert [(f.line, f.field, "data of persons" in f.problem) for f in caught.value.faults] == [
        (9, "event.dossier", True), (11, "event.procedure", True),
    ]  # fmt: skip
