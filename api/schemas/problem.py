"""The error answer of every operation (RFC 9457); its texts are made where the error is."""

from __future__ import annotations

from api.schemas.envelope import ApiModel


class RequestFault(ApiModel):
    """One fault of a request."""

    pointer: str
    detail: str


class ProblemDocument(ApiModel):
    """Why a request was not answered."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[RequestFault] | None = None
    trace_id: str | None = None
