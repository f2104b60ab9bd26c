"""What the API has: its operations with one line each."""

from __future__ import annotations

from fastapi import Request

from api.deps import QueriesDep
from api.openapi import summarise_operations
from api.schemas.envelope import ApiModel, Envelope, ResponseMeta


class OperationEntry(ApiModel):
    """One operation."""

    path: str
    summary: str
    parameters: list[str]


def list_operations(request: Request, queries: QueriesDep) -> Envelope[list[OperationEntry]]:
    """List all operations with one line each; /docs describes them in full."""
    operations = summarise_operations(request.app.openapi())
    data = [OperationEntry(path=o.path, summary=o.summary, parameters=list(o.parameters)) for o in operations]
    return Envelope(data=data, meta=ResponseMeta.current(queries))
