"""The models in use, in the open."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import QueriesDep
from api.paging import PageParam
from api.schemas.envelope import Envelope, ResponseMeta
from api.schemas.models import WaitModelResponse

router = APIRouter(tags=["models"])


@router.get("/models", operation_id="models")
def list_wait_models(queries: QueriesDep, page: PageParam) -> Envelope[list[WaitModelResponse]]:
    """List the centres' wait models: trained on what, back-tests, and the promise kept by day."""
    cards = queries.wait_model_cards()
    part, following = page.slice_rows(cards, lambda card: (card.centre.id,))
    data = [WaitModelResponse.from_card(card) for card in part]
    return Envelope(data=data, meta=ResponseMeta.current(queries), next=following)
