"""The Vietnamese words of what rules find, for the dossier. It must not judge; an unknown sentence stays as it is."""

from __future__ import annotations

import re
from typing import Final

_TEXTS: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"the protection is not declared", "Chưa khai báo biện pháp"),
        (r"the protection is declared without evidence", "Biện pháp chưa có minh chứng"),
        (r"the protection begins on (\S+) only", r"Biện pháp chỉ bắt đầu từ \1"),
        (r"its evidence is of (\S+), more than a year ago", r"Minh chứng ngày \1, đã quá một năm"),
        (r"its evidence is of (\S+), a day to come", r"Minh chứng ghi ngày \1, chưa tới"),
        (
            r"name it in \[protections\.(\w+)\] of cloud\.toml, with the evidence and its day",
            r"Khai báo trong [protections.\1] của cloud.toml, kèm văn bản minh chứng và ngày",
        ),
        (r"volumes are not encrypted", "Ổ đĩa chưa được mã hóa"),
        (r"the cluster stores secrets in plain text", "Cụm lưu bí mật chưa mã hóa"),
        (r"its copies in (\S+) are not encrypted", r"Bản sao trong kho \1 chưa được mã hóa"),
        (r"the hosts' clocks are not synchronised", "Đồng hồ máy chủ chưa được đồng bộ"),
        (r"its stages share a cluster or a project", "Các môi trường dùng chung một cụm hoặc dự án"),
        (r"the platform has no service (\w+)", r"Nền tảng không có dịch vụ \1"),
        (r"zone (\w+) may not call the service (\w+)", r"Vùng \1 không được gọi dịch vụ \2"),
        (r"no store of logs is declared", "Chưa khai báo kho nhật ký"),
        (r"logs are kept for (\d+) days, (\d+) are wanted", r"Nhật ký lưu \1 ngày, yêu cầu \2 ngày"),
        (r"stored logs can be changed", "Nhật ký đã lưu có thể bị sửa"),
        (r"no restore is proven", "Chưa diễn tập phục hồi lần nào"),
        (
            r"the last proven restore is of (\S+), more than (\d+) days ago",
            r"Lần diễn tập phục hồi gần nhất là \1, đã quá \2 ngày",
        ),
        (r"restore it, and declare the \[\[drill\]\] in cloud\.toml", "Diễn tập phục hồi, rồi khai báo [[drill]]"),
        (
            r"has (\d+) cop(?:y|ies) of its data, its own one counted; (\d+) are wanted",
            r"Có \1 bản dữ liệu, kể cả bản gốc; yêu cầu \2",
        ),
        (r"declare another \[\[backup\]\] in cloud\.toml", "Khai báo thêm một [[backup]] trong cloud.toml"),
        (r"no store of copies is apart from what it copies", "Không có kho bản sao nào tách khỏi nơi vận hành"),
        (r"all copies are on one kind of store", "Mọi bản sao nằm trên cùng một loại lưu trữ"),
        (r"all copies are at site (\S+)", r"Mọi bản sao đặt tại địa điểm \1"),
        (r"has no spare site", "Chưa có điểm dự phòng"),
        (
            r"level (\d) is proposed, and not approved by a decision",
            r"Cấp độ \1 mới được đề xuất, chưa có quyết định phê duyệt",
        ),
        (r"enter number and day: level_decision", "Ghi số và ngày của quyết định vào level_decision"),
        (
            r"runs (\d+) of the (\d+) instances that level (\d) asks for",
            r"Chạy \1 trong \2 bản mà cấp độ \3 yêu cầu",
        ),
        (r"write least = (\d+) in components\.csv", r"Ghi least = \1 trong components.csv"),
        (r"the cluster has (\d+) control planes?, and stops with one of them", r"Cụm chỉ có \1 máy điều khiển"),
        (
            r"site (\S+) has no network for zone (\w+), which level (\d) asks for",
            r"Địa điểm \1 không có mạng cho vùng \2 mà cấp độ \3 yêu cầu",
        ),
        (
            r"no outside network of kind (\w+) is declared, which level (\d) asks for",
            r"Chưa khai báo mạng bên ngoài loại \1 mà cấp độ \2 yêu cầu",
        ),
        (r"remote administration passes no declared VPN", "Quản trị từ xa chưa qua VPN đã khai báo"),
        (r"(\S+) → (\S+) port (\d+) has no TLS", r"Kết nối \1 → \2 cổng \3 không có TLS"),
        (
            r"(?:.*, )?then write (\w+ = \S+) in (?:the )?(\[.+\].*) of cloud\.toml",
            r"Thực hiện, rồi ghi \1 trong \2 của cloud.toml",
        ),
        (r"write (\S+ = \S+) in (\[.+\]) of cloud\.toml", r"Ghi \1 trong \2 của cloud.toml"),
        (
            r"zones? (.+) ha(?:s|ve) no address slot in cloud\.lock, .*",
            r"Vùng \1 chưa có địa chỉ trong cloud.lock",
        ),
        (r"run `motcua cloud lock` and commit cloud\.lock", "Chạy `motcua cloud lock` và lưu cloud.lock"),
    )
)


def vietnamese_text(text: str) -> str:
    """Return a problem or remedy in Vietnamese, with the note of an exception; one without words here as it is.

    >>> vietnamese_text("all copies are at site ben-tre")
    'Mọi bản sao đặt tại địa điểm ben-tre'
    >>> vietnamese_text("stored logs can be changed; excepted until 2027-01-01 by vn83-dit")
    'Nhật ký đã lưu có thể bị sửa; ngoại lệ đến 2027-01-01 do vn83-dit'
    """
    text, excepted, note = text.partition("; excepted until ")
    for pattern, words in _TEXTS:
        match = pattern.fullmatch(text)
        if match is not None:
            text = match.expand(words)
            break
    return text + (f"; ngoại lệ đến {note.replace(' by ', ' do ', 1)}" if excepted else "")
