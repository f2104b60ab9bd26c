"""The Vietnamese words of declared values in the dossier of a hosted system. It must not hold sentences or figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import NETWORKS_VI

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVED: Final[Mapping[str, str]] = {
    "internal": "Hoạt động nội bộ của cơ quan (điểm a)",
    "public": "Người dân, doanh nghiệp (điểm b)",
    "infrastructure": "Hạ tầng dùng chung của các cơ quan (điểm c)",
    "control": "Điều khiển công nghiệp (điểm d)",
    "other": "Khác (điểm đ)",
}
DATA: Final[Mapping[str, str]] = {
    "public": "Thông tin công khai",
    "private": "Thông tin riêng của cơ quan",
    "personal": "Dữ liệu cá nhân cơ bản",
    "sensitive": "Dữ liệu cá nhân nhạy cảm",
    "secret": "Bí mật nhà nước",
}
COUNTRIES: Final[Mapping[str, str]] = {"VN": "Việt Nam"}
ZONES: Final[Mapping[str, str]] = {zone: words[0].upper() + words[1:] for zone, words in NETWORKS_VI.items()}
COMPONENT_KINDS: Final[Mapping[str, str]] = {
    "web": "Giao diện web",
    "app": "Ứng dụng",
    "job": "Tác vụ định kỳ",
    "database": "Cơ sở dữ liệu",
    "objects": "Kho tệp",
    "queue": "Hàng đợi bản tin",
    "cache": "Bộ nhớ đệm",
    "gateway": "Cổng kết nối",
}
EXPOSURES: Final[Mapping[str, str]] = {
    "internet": "Internet",
    "wan": "Mạng truyền số liệu chuyên dùng",
    "office": "Mạng nội bộ của cơ quan",
    "none": "Không mở ra ngoài",
}
PROTECTION_NAMES: Final[Mapping[str, str]] = {
    "waf": "Tường lửa ứng dụng web",
    "ddos": "Phòng, chống tấn công từ chối dịch vụ",
    "ips": "Phòng, chống xâm nhập",
    "dbf": "Tường lửa cơ sở dữ liệu",
    "edr": "Phòng, chống mã độc trên máy chủ",
    "siem": "Giám sát, quản lý sự kiện tập trung",
    "vpn": "Mạng riêng ảo cho quản trị",
    "pam": "Quản lý tài khoản đặc quyền",
}
PARTS: Final[Mapping[str, str]] = {
    "built": "Đã thiết lập trên hạ tầng",
    "checked": "Được kiểm tra tự động",
    "named": "Biện pháp đặt ngoài hệ thống, có minh chứng",
}
ENDS: Final[Mapping[str, str]] = {
    "outside": "bên ngoài",
    "edge": "mạng biên",
    "platform": "nền tảng",
    "operator": "bộ vận hành",
}
MEDIA: Final[Mapping[str, str]] = {"block": "Đĩa khối", "objects": "Kho đối tượng", "tape": "Băng từ"}
BUILT: Final[Mapping[str, str]] = {
    "central stores of copies": "Kho bản sao tập trung",
    "chart of flows": "Sơ đồ kết nối lập từ khai báo",
    "credentials from the secret store": "Thông tin xác thực lấy từ kho bí mật",
    "figures of use": "Số liệu sử dụng tài nguyên",
    "gateways with TLS": "Cổng vào có mã hóa TLS",
    "label of the data's kind": "Nhãn loại dữ liệu trên mọi đối tượng",
    "list of copies in the dossier": "Danh mục bản sao trong hồ sơ này",
    "namespaces and networks by zone": "Vùng mạng tách riêng theo từng hệ thống",
    "pods of the restricted level": "Tiến trình chạy ở mức quyền hạn chế",
    "policies of declared flows": "Chính sách mạng theo từng kết nối đã khai báo",
    "probes and dashboards": "Giám sát hoạt động và bảng theo dõi",
    "schedules of copies": "Lịch sao lưu tự động",
    "way to the central store of logs": "Kết nối tới kho nhật ký tập trung",
}
"""What objects build, as `CLAUSES_BY_LEVEL` names it."""
RESULTS: Final[Mapping[str, str]] = {
    "built": "Có trong thiết kế", "checked": "Không phát hiện sai lệch", "named": "Minh chứng còn hạn",
}  # fmt: skip
STAGES: Final[Mapping[str, str]] = {
    "dev": "môi trường phát triển",
    "stage": "môi trường thử nghiệm",
    "prod": "môi trường vận hành chính thức",
}
DECREES: Final[Mapping[str, str]] = {"163": "2024", "331": "2026", "333": "2026", "356": "2025"}
"""The year of each decree that a rule quotes."""
