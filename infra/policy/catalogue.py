"""The catalogue of rules: id, severity, titles; the finding of a breach. It must not check anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["mandatory", "advisory"]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule: a mandatory one stops a roll-out, an advisory one is a warning."""

    id: str
    severity: Severity
    title_vi: str
    title_en: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A breach: rule, location, problem and remedy. It never contains the value of a secret.

    `clause` is the text of law or standard that the rule follows, empty for a rule of ours. The texts in Vietnamese are
    those of hosted systems' rules only, for the dossier.
    """

    rule: str
    where: str
    problem: str
    remedy: str
    severity: Severity = "mandatory"
    clause: str = ""
    problem_vi: str = ""
    remedy_vi: str = ""

    def __str__(self) -> str:
        """Return it on one line."""
        clause = f" ({self.clause})" if self.clause else ""
        return f"{self.severity} {self.rule}: {self.where}: {self.problem}; {self.remedy}{clause}"


_RULE_LIST = (
    PolicyRule("listener-tls", "mandatory", "Cổng broker công khai phải có TLS", "A public broker listener has TLS"),
    PolicyRule("listener-anonymous", "mandatory", "Không cho kết nối ẩn danh", "No anonymous client at the broker"),
    PolicyRule("retention", "mandatory", "Không xóa dữ liệu quá sớm", "No data is deleted too soon"),
    PolicyRule("labels", "mandatory", "Phải có đủ nhãn", "All required labels are set"),
    PolicyRule("token-rights", "mandatory", "Token chỉ có quyền cần thiết", "A token has the least rights"),
    PolicyRule("broker-rights", "mandatory", "Quyền broker ở mức tối thiểu", "A broker user has the least rights"),
    PolicyRule("plain-secret", "mandatory", "Không có bí mật dạng văn bản thuần", "No secret in plain text"),
    PolicyRule("certificate-life", "mandatory", "Chứng thư còn đủ hạn", "Certificates have enough life left"),
    PolicyRule("own-root", "mandatory", "CA gốc riêng cho môi trường thật", "Stage prod has its own root certificate"),
    PolicyRule("store-closed", "mandatory", "InfluxDB không mở ra ngoài", "InfluxDB is not reachable from outside"),
    PolicyRule(
        "open-to-all",
        "mandatory",
        "Không mở cổng quản trị cho mọi nơi",
        "No administration port is open to every network",
    ),
    PolicyRule(
        "upstream-tls",
        "mandatory",
        "Kết nối quốc gia phải có TLS",
        "The connection to the national copy has verified TLS",
    ),
    PolicyRule("image-pinned", "mandatory", "Ảnh container ghim bằng digest", "Container images are pinned by digest"),
    PolicyRule("pod-hardened", "mandatory", "Pod theo mức restricted", "Pods meet the restricted level"),
    PolicyRule("balancer-sources", "mandatory", "LoadBalancer giới hạn nguồn", "A load balancer names its sources"),
    PolicyRule("port-security", "mandatory", "Không tắt port security", "Port security stays on: groups need it"),
    PolicyRule(
        "devices-from-anywhere", "advisory", "Thiết bị kết nối từ mọi mạng", "Devices may connect from every network"
    ),
    PolicyRule("store-tls", "advisory", "InfluxDB qua mạng nên có TLS", "InfluxDB is reached with TLS over a network"),
    PolicyRule("shrink-allowed", "advisory", "Đang cho phép cắt lưu trữ", "Cutting a retention is allowed"),
    PolicyRule("image-digest", "advisory", "Nên ghim ảnh bằng digest", "Container images should be pinned by digest"),
)
RULES: dict[str, PolicyRule] = {rule.id: rule for rule in _RULE_LIST}


def new_finding(rule: str, where: str, problem: str, remedy: str) -> Finding:
    """Return a finding with its rule's severity; raises KeyError for an unknown rule."""
    return Finding(rule, where, problem, remedy, RULES[rule].severity)
