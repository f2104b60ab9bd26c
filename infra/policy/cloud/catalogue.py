"""The catalogue of rules over hosted systems: level, severity by date, titles, clauses. It checks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.policy.catalogue import Severity

LEVELS: Final = (1, 2, 3, 4, 5)
HIGHEST_HOSTED_LEVEL: Final = 4
"""Level 5 asks for machines, networks and stores of its own: Decree 331/2026 Art. 30.9."""
DECISION_DUE: Final = date(2026, 12, 31)
"""The last day for a level decision of a system that was built before: six months after the law, Art. 39.1."""
MEASURES_DUE: Final = date(2027, 6, 30)
"""The last day for all measures of such a system: twelve months after the law, Art. 39.1."""
PERSONAL_DATA: Final = frozenset({"personal", "sensitive", "secret"})
_DECREE, _STANDARD = "331", "TCVN 14423:2026"
"""Decree 331/2026 by its number, as in the criteria of levels; and the standard of basic requirements."""


@dataclass(frozen=True, slots=True)
class CloudRule:
    """A rule over hosted systems.

    It holds from `from_level`, and for personal data on every level where `personal` is set. A breach is a fault from
    `fault_level` (`None`: never, only a hint) and after the day `due` (`None`: at once); before, it is a hint.
    `clauses` are by the level from which they hold; `{x}` is the standard's chapter of a level, which is level + 2.
    `admission`: also seen on single objects, by the policy pack and the cluster's admission policies.
    """

    id: str
    from_level: int
    title_vi: str
    title_en: str
    clauses: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    fault_level: int | None = 1
    due: date | None = None
    personal: bool = False
    admission: bool = False

    def applies_to(self, level: int, data: str = "public") -> bool:
        """Return whether the rule holds for a system of a level and kind of data."""
        return level >= self.from_level or (self.personal and data in PERSONAL_DATA)

    def severity(self, level: int, today: date) -> Severity:
        """Return the severity of a breach at a level on a day."""
        is_fault = self.fault_level is not None and level >= self.fault_level
        return "mandatory" if is_fault and (self.due is None or today > self.due) else "advisory"

    def clause(self, level: int) -> str:
        """Return the clause for a level, or an empty text for a rule of ours."""
        held = [first for first in self.clauses if first <= level]
        return self.clauses[max(held)].format(x=level + 2) if held else ""


def _standard(from_level: int, clauses: str) -> dict[int, str]:
    return {from_level: f"{_STANDARD} {clauses}"}


def _protection(ident: str, from_level: int, title_vi: str, title_en: str, clause: str) -> CloudRule:
    """Return the rule of a protection that is bought or run elsewhere; it may be bought until the measures are due."""
    return CloudRule(ident, from_level, title_vi, title_en, _standard(from_level, clause), due=MEASURES_DUE)


_FLOW_CLAUSES = {
    1: f"{_STANDARD} 3.12.2.4 c",
    2: f"{_STANDARD} 4.12.2.4 b",
    3: f"{_STANDARD} 5.12.2.4 d; {_DECREE} Art. 30.8.b",
    4: f"{_STANDARD} {{x}}.12.2.4 c; {_DECREE} Art. 30.8.b",
}
_RULE_LIST = (
    CloudRule(
        "level-least", 1, "Cấp độ không thấp hơn tiêu chí", "The level is at least that of the criteria",
        {1: f"{_DECREE} Art. 8.2, 11–15"},
    ),
    CloudRule(
        "level-split", 1, "Không chia nhỏ hệ thống để hạ cấp độ", "No system is split to lower its level",
        {1: f"{_DECREE} Art. 8.3"}, fault_level=None,
    ),
    CloudRule(
        "level-refused", 1, "Không đặt cấp độ 5 và bí mật nhà nước trên đám mây dùng chung",
        "Level 5 and state secrets stay out of a shared cloud", {1: f"{_DECREE} Art. 13.1, 30.9"},
    ),
    CloudRule(
        "one-owner", 1, "Một chủ quản còn hiệu lực; đơn vị bảo vệ khác đơn vị vận hành",
        "One owner that exists; the security unit is not the operator", {1: f"{_DECREE} Art. 8.1.a, 31.2.c"},
    ),
    CloudRule(
        "site-country", 1, "Dữ liệu lưu trữ tại Việt Nam", "Data are stored in Vietnam",
        {1: "163/2024 Art. 30.1"},
    ),
    CloudRule(
        "zone-present", 2, "Đủ các vùng mạng của cấp độ", "The network zones of the level exist",
        _standard(2, "{x}.12.2.2 b"),
    ),
    CloudRule(
        "flow-zone", 1, "Kết nối theo ma trận vùng", "Connections follow the matrix of zones",
        _FLOW_CLAUSES,
    ),
    CloudRule(
        "flow-declared", 1, "Chỉ mở kết nối đã khai báo", "Only declared connections are open",
        _FLOW_CLAUSES, admission=True,
    ),
    CloudRule(
        "egress-closed", 3, "Chiều ra bị chặn theo mặc định", "The way out is closed by default",
        _standard(3, "{x}.12.2.4 d") | _standard(4, "{x}.12.2.4 c, {x}.12.2.4 g"), admission=True,
    ),
    CloudRule(
        "system-apart", 3, "Hệ thống tách nhau về mạng và lưu trữ", "Systems are apart in network and storage",
        {3: f"{_DECREE} Art. 30.8.a, 30.8.c"}, admission=True,
    ),
    CloudRule(
        "admin-port", 3, "Cổng quản trị tách cổng dịch vụ", "Administration is not on the service's port",
        _standard(3, "{x}.13.2.3 b"), admission=True,
    ),
    CloudRule(
        "admin-source", 2, "Quản trị từ xa từ mạng đã nêu", "Remote administration comes from named networks",
        _standard(2, "4.12.2.4 c") | _standard(3, "{x}.12.2.5") | _standard(4, "{x}.12.2.5, {x}.12.2.6"),
    ),
    CloudRule(
        "replicas", 3, "Dự phòng nóng và cân bằng tải", "Hot spares and load balancing",
        _standard(3, "{x}.12.2.2 a"), admission=True,
    ),
    CloudRule(
        "site-spare", 4, "Điểm dự phòng cách ít nhất 30 km", "A spare site is at least 30 km away",
        _standard(4, "7.12.2.2 a"), fault_level=5,
    ),
    _protection("ips", 1, "Tường lửa có chống xâm nhập", "A firewall prevents intrusion", "{x}.12.2.2"),
    _protection("waf", 2, "Tường lửa ứng dụng web", "A firewall protects web applications", "{x}.12.2.2 a"),
    _protection("ddos", 3, "Chống từ chối dịch vụ", "Denial of service is defended against", "{x}.12.2.2 a"),
    _protection("dbf", 3, "Tường lửa cơ sở dữ liệu", "A firewall protects databases", "{x}.12.2.2 a"),
    CloudRule(
        "edr", 3, "Phát hiện và phản ứng trên máy chủ", "Servers detect and answer attacks",
        _standard(3, "5.10.2.4") | _standard(4, "{x}.10.2.5"), due=MEASURES_DUE,
    ),
    _protection("siem", 3, "Giám sát sự kiện tập trung", "Events are analysed centrally", "{x}.8.2.1 a"),
    _protection("pam", 4, "Quản lý tài khoản đặc quyền", "Privileged accounts are managed", "{x}.6.2.3"),
    CloudRule(
        "tls", 3, "Mã hóa khi truyền", "Data are encrypted in transit",
        {1: "356/2025 Art. 12.4"} | _standard(3, "{x}.4.2.4 b"), personal=True, admission=True,
    ),
    CloudRule(
        "at-rest", 3, "Mã hóa khi lưu trữ", "Data are encrypted at rest",
        {1: "356/2025 Art. 12.4"} | _standard(3, "{x}.4.2.4 a, {x}.11.2.3 b"), personal=True,
    ),
    CloudRule(
        "log-kept", 2, "Nhật ký lưu đủ ngày", "Logs are stored long enough",
        _standard(2, "{x}.8.2.1 a") | _standard(4, "{x}.8.2.1 a, {x}.8.2.3"),
    ),
    CloudRule(
        "log-room", 3, "Kho nhật ký đủ chỗ", "The store of logs has room", _standard(3, "{x}.8.2.1 a"),
    ),
    CloudRule(
        "backup-321", 2, "Sao lưu tách môi trường vận hành; từ cấp độ 3 theo quy tắc 3-2-1",
        "Copies are apart from operation; from level 3 by the 3-2-1 rule",
        _standard(2, "{x}.11.2.4") | _standard(3, "{x}.11.2.3 a, {x}.11.2.4"),
    ),
    CloudRule("rpo-met", 1, "Sao lưu đáp ứng RPO", "Copies are made as often as the promise of loss asks"),
    CloudRule("rto-met", 1, "Khôi phục đáp ứng RTO", "A restore is as fast as the promise of time asks"),
    CloudRule(
        "drill", 3, "Diễn tập khôi phục đúng hạn", "Restores are proven in time",
        _standard(3, "{x}.11.2.1 a") | _standard(4, "{x}.11.2.5"), fault_level=4,
    ),
    CloudRule(
        "secret-source", 3, "Bí mật chỉ lấy qua tham chiếu", "Secrets come by reference only",
        _standard(3, "5.17.2.3") | _standard(4, "{x}.16.2.5, {x}.16.2.7"), admission=True,
    ),
    CloudRule(
        "pod-hardened", 1, "Tiến trình chạy với quyền tối thiểu (mức restricted)", "Pods meet the restricted level",
        _standard(1, "{x}.5.2.1"), admission=True,
    ),
    CloudRule(
        "image-pinned", 1, "Phần mềm cài đặt được xác định bằng mã băm", "Container images are pinned by digest",
        _standard(1, "{x}.5.2.1"), admission=True,
    ),
    CloudRule(
        "time", 1, "Đồng bộ thời gian", "Every zone reaches the time server", _standard(1, "{x}.8.2.1 a"),
    ),
    CloudRule(
        "dns", 1, "Lọc tên miền", "Every zone asks the filtering resolver", _standard(1, "{x}.9.2.2"),
    ),
    CloudRule(
        "stage-apart", 3, "Môi trường thật tách môi trường thử", "Stage prod is apart from other stages",
        _standard(3, "6.16.2.5"), fault_level=4,
    ),
    CloudRule(
        "engine-supported", 1, "Phần mềm nền còn được hỗ trợ", "The engines below are supported",
        {4: f"{_STANDARD} {{x}}.3.2.3"},
    ),
    CloudRule(
        "exception-dated", 1, "Ngoại lệ có thời hạn và đơn vị chịu trách nhiệm",
        "An exception has an end and an agency that answers for it", admission=True,
    ),
    CloudRule(
        "lock-entry", 1, "Địa chỉ và tên vật lý đã ghi trong cloud.lock",
        "Slot and name of each zone are in cloud.lock", fault_level=None,
    ),
    CloudRule("host-once", 1, "Mỗi tên miền thuộc một hệ thống", "A host name belongs to one system"),
    CloudRule(
        "queue-operator", 1, "Có bộ vận hành cho hàng đợi bản tin", "An operator of the cluster runs the queues",
        fault_level=None,
    ),
    CloudRule("object-store", 1, "Có kho đối tượng cho kho tệp, đúng cổng", "Buckets have a store, at its port"),
    CloudRule(
        "decision", 3, "Có quyết định phê duyệt cấp độ", "The level is approved by a decision",
        {3: f"{_DECREE} Art. 30.6, 39.1"}, due=DECISION_DUE,
    ),
)  # fmt: skip
CLOUD_RULES: Final[Mapping[str, CloudRule]] = MappingProxyType({rule.id: rule for rule in _RULE_LIST})
