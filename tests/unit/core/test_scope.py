"""A scope is its text; one module knows how the text is made."""

from __future__ import annotations

import pytest

from telemetry.core.scope import COUNTRY, KINDS, Scope


@pytest.mark.parametrize(
    ("scope", "text", "kind", "ident"),
    [
        (Scope.centre("vn83-1"), "centre:vn83-1", "centre", "vn83-1"),
        (Scope.device("vn83-1-kiosk1"), "device:vn83-1-kiosk1", "device", "vn83-1-kiosk1"),
        (Scope.desk("vn83-1", "land"), "desk:vn83-1:land", "desk", "vn83-1:land"),
        (Scope.system("vn-ngsp"), "system:vn-ngsp", "system", "vn-ngsp"),
        (Scope.province("vn83"), "province:vn83", "province", "vn83"),
        (COUNTRY, "country", "country", ""),
    ],
)
def test_a_scope_is_its_text(scope: Scope, text: str, kind: str, ident: str) -> None:
    assert scope == text == Scope.parse(text)
    assert hash(scope) == hash(text)
    assert (scope.kind, scope.id) == (kind, ident)


def test_a_desk_names_its_centre_and_its_service() -> None:
    desk = Scope.desk("vn83-1", "land")
    assert (desk.centre_id, desk.service) == ("vn83-1", "land")
    assert Scope.centre("vn83-1").centre_id == "vn83-1"


@pytest.mark.parametrize("text", ["", "centre", "centre:", "country:", "country:vn", "hall:1", "Centre:1"])
def test_what_is_no_scope_is_refused_with_the_kinds_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="is no scope") as error:
        Scope.parse(text)
    assert all(kind in str(error.value) for kind in KINDS)
