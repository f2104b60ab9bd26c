"""Alerts as Alertmanager has them; it must not decide which alerts exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from api.alertmanager import NotificationState
from api.schemas.envelope import ApiModel
from api.times import rfc3339

if TYPE_CHECKING:
    from typing import Self
    from zoneinfo import ZoneInfo

    from api.alertmanager import AlertSilence, NotifiedAlert


class SilenceRow(ApiModel):
    """Who acknowledged or silenced an alert, why, and until when."""

    created_by: str = Field(description="the operator, or whoever set it by another program")
    note: str = Field(description="why")
    until: str = Field(description="when the alert is sent again if it still fires, RFC 3339")

    @classmethod
    def from_silence(cls, silence: AlertSilence, zone: ZoneInfo) -> Self:
        """Return a silence."""
        return cls.build(silence, until=rfc3339(silence.ends_at, zone))


class AlertRow(ApiModel):
    """One alert; its labels are those that Alertmanager routes by."""

    fingerprint: str = Field(description="Alertmanager's id of the alert's labels")
    name: str = Field(description="the label `alertname`")
    severity: str = Field(description="page: act now; ticket: look at it this week")
    state: NotificationState = Field(
        description="active, acknowledged, silenced, or inhibited: another alert is its cause"
    )
    scope: str | None
    centre: str | None
    objective: str | None
    cause: str | None = Field(description="the probable cause: link, device, queue, system, network, platform")
    since: str = Field(description="when it began, RFC 3339")
    summary: str = Field(description="the alert in words, English")
    summary_vi: str = Field(description="the alert in words, Vietnamese")
    receivers: list[str] = Field(description="to whom it is sent")
    silence: SilenceRow | None = Field(description="who acknowledged or silenced it; null when nobody did")

    @classmethod
    def from_alert(cls, alert: NotifiedAlert, receivers: list[str], zone: ZoneInfo) -> Self:
        """Return an alert with its receivers."""
        labels, texts = alert.labels, alert.annotations
        return cls.build(
            alert,
            name=labels.get("alertname", ""),
            severity=labels.get("severity", ""),
            scope=labels.get("scope"),
            centre=labels.get("centre"),
            objective=labels.get("objective"),
            cause=labels.get("cause"),
            since=rfc3339(alert.starts_at, zone),
            summary=texts.get("summary", ""),
            summary_vi=texts.get("summary_vi", ""),
            receivers=receivers,
            silence=SilenceRow.from_silence(alert.silence, zone) if alert.silence else None,
        )
