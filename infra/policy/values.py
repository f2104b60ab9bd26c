"""Every rule by its id, with its weight and its title; it must not check anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["mandatory", "advisory"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a mandatory one stops a roll-out, an advisory one is told."""

    id: str
    severity: Severity
    vi: str
    en: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A breach: which rule, where, what is wrong, and the way out. It never holds the value of a secret."""

    rule: str
    where: str
    problem: str
    remedy: str
    severity: Severity = "mandatory"

    def __str__(self) -> str:
        """Return it on one line."""
        return f"{self.severity} {self.rule}: {self.where}: {self.problem}; {self.remedy}"


_ALL = (
    Rule("listener-tls", "mandatory", "Cổng broker công khai phải có TLS", "A public broker listener has TLS"),
    Rule("listener-anonymous", "mandatory", "Không cho kết nối ẩn danh", "No anonymous client at the broker"),
    Rule("retention", "mandatory", "Không xóa dữ liệu quá sớm", "No data is forgotten too soon"),
    Rule("labels", "mandatory", "Phải có đủ nhãn", "The required labels are there"),
    Rule("token-rights", "mandatory", "Token chỉ có quyền cần thiết", "A token has the least rights"),
    Rule("broker-rights", "mandatory", "Quyền broker ở mức tối thiểu", "A broker user has the least rights"),
    Rule("plain-secret", "mandatory", "Không có bí mật dạng văn bản thuần", "No secret in plain text"),
    Rule("certificate-life", "mandatory", "Chứng thư còn đủ hạn", "Certificates have enough life left"),
    Rule("own-root", "mandatory", "CA gốc riêng cho môi trường thật", "Stage prod stands on a root of its own"),
    Rule("store-closed", "mandatory", "InfluxDB không mở ra ngoài", "InfluxDB is closed to the outside"),
    Rule("open-to-all", "mandatory", "Không mở cổng quản trị cho mọi nơi", "No administration open to every network"),
    Rule("upstream-tls", "mandatory", "Kết nối quốc gia phải có TLS", "The way to the national copy has checked TLS"),
    Rule("image-pinned", "mandatory", "Ảnh container ghim bằng digest", "Container images are pinned by digest"),
    Rule("pod-hardened", "mandatory", "Pod theo mức restricted", "Pods keep to the restricted level"),
    Rule("balancer-sources", "mandatory", "LoadBalancer giới hạn nguồn", "A load balancer names its sources"),
    Rule("devices-from-anywhere", "advisory", "Thiết bị kết nối từ mọi mạng", "Devices may come from every network"),
    Rule("store-tls", "advisory", "InfluxDB qua mạng nên có TLS", "InfluxDB is reached with TLS over a network"),
    Rule("shrink-allowed", "advisory", "Đang cho phép cắt lưu trữ", "Cutting a retention is allowed"),
    Rule("image-digest", "advisory", "Nên ghim ảnh bằng digest", "Container images should be pinned by digest"),
)
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}


def finding(rule: str, where: str, problem: str, remedy: str) -> Finding:
    """Return a finding with its rule's weight; raises KeyError for a rule that there is not."""
    return Finding(rule, where, problem, remedy, RULES[rule].severity)
