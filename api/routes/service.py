"""Completeness and quality of the stored data; liveness, readiness and the build, which are outside `/api/v1`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.deps import QueriesDep
from api.paging import PageParam
from api.problems import NotReady
from api.schemas.service import (
    ApiQualityIssueKind,
    CompletenessEnvelope,
    CompletenessMeta,
    CompletenessRow,
    HealthResponse,
    QualityEnvelope,
    QualityIssueRow,
    QualityMeta,
    RowCounts,
    VersionResponse,
)
from api.times import rfc3339_or_none
from telemetry.queries.data_quality import UNMEASURED_FIGURES, count_issues, narrow_issues, read_quality_issues
from telemetry.queries.slo_filter import check_unit

router = APIRouter(tags=["completeness"])
health_router = APIRouter(tags=["health"])


@router.get("/completeness", operation_id="completeness")
def list_completeness(queries: QueriesDep, page: PageParam, device: str | None = None) -> CompletenessEnvelope:
    """List devices with their rows stored, refused, dropped and the highest number."""
    completeness = queries.store_stats().completeness
    rows = [d for d in completeness.devices if device in (None, d.device)]
    if device is not None and not rows:
        queries.device(device)
    part, following = page.slice_rows(rows, lambda d: (d.device,))
    data = [CompletenessRow.build(d.counts, device=d.device, spools=d.outbox_count) for d in part]
    meta = CompletenessMeta.current(queries, totals=RowCounts.build(completeness.overall))
    return CompletenessEnvelope(data=data, meta=meta, next=following)


@router.get("/data-quality", operation_id="data_quality")
def list_quality_issues(
    queries: QueriesDep,
    page: PageParam,
    kind: Annotated[ApiQualityIssueKind | None, Query(description="only issues of this kind")] = None,
    district: Annotated[str | None, Query(description="only issues of this district: the code of its unit")] = None,
    centre: Annotated[str | None, Query(description="only issues of this centre")] = None,
) -> QualityEnvelope:
    """List what is wrong with the stored data, worst first: gaps, silence, refused rows, clocks, undeclared names."""
    if district is not None:
        check_unit(district, queries.inventory())
    if centre is not None:
        queries.network().centre(centre)
    issues, stats, zone = read_quality_issues(queries), queries.store_stats(), queries.zone()
    part, following = page.slice_rows(narrow_issues(issues, kind, district, centre), lambda issue: issue.sort_key)
    meta = QualityMeta.current(
        queries,
        counts=count_issues(issues),
        totals=RowCounts.build(stats.completeness.overall),
        current_until=rfc3339_or_none(stats.current_until or None, zone),
        backlog_hours=stats.backlog_hours,
        unmeasured=list(UNMEASURED_FIGURES),
    )
    return QualityEnvelope(
        data=[QualityIssueRow.from_issue(issue, zone) for issue in part], meta=meta, next=following
    )  # fmt: skip


@health_router.get("/healthz", operation_id="healthz")
def healthz() -> HealthResponse:
    """Answer as long as the process is alive."""
    return HealthResponse(status="ok")


@health_router.get("/readyz", operation_id="readyz")
def readyz(queries: QueriesDep) -> HealthResponse:
    """Return the age of the newest live row; 503 with the reasons when the store does not answer or rollup is behind.

    Behind means: changes of recent hours wait for more than two minutes, or there was no pass. Older hours that wait
    (`backlog_hours`) delay no present figure.
    """
    readiness = queries.readiness()
    if readiness.reasons:
        raise NotReady(readiness.reasons)
    snapshot = queries.snapshot()
    times = [*(row.at for row in snapshot.centres.values()), *(row.at for row in snapshot.systems.values())]
    newest = max(times, default=None)
    age = None if newest is None else max(0, queries.now() - newest) // 1000
    return HealthResponse(
        status="ok",
        store="ok",
        live_age_s=age,
        rollup_age_s=(readiness.rollup_age_ms or 0) // 1000,
        backlog_hours=readiness.backlog_hours,
    )


@health_router.get("/version", operation_id="version")
def get_version(request: Request, queries: QueriesDep) -> VersionResponse:
    """Return the build and the inventory in force."""
    return VersionResponse(version=request.app.version, inventory_version=queries.inventory().version)
