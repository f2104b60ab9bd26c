"""Addresses of the pages that explain things; it must not link a page that is not served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from telemetry.core.scope import Scope
    from telemetry.queries.search import SearchHit


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The paths that are served, as their routes are written (`/centres/{ident}`)."""

    paths: frozenset[str]

    def page(self, path: str) -> str:
        """Return a page's address, empty when it is not served."""
        return path if path in self.paths else ""

    def centre(self, ident: str) -> str:
        """Return the page of a centre."""
        return f"/centres/{quote(ident)}"

    def unit(self, code: str) -> str:
        """Return the page of an administrative unit."""
        return f"/districts/{quote(code)}"

    def system(self, ident: str) -> str:
        """Return the page of a digital system, or where all of them are."""
        return self._one_of("/systems", ident) or "/#live-systems"

    def device(self, ident: str, centre: str) -> str:
        """Return the page of a device, or its centre's list of devices."""
        return self._one_of("/devices", ident) or f"{self.centre(centre)}#live-devices"

    def objective(self, ident: str) -> str:
        """Return the page of an objective, or where all of them are."""
        return self._one_of("/objectives", ident) or "/#objectives"

    def scope(self, scope: Scope, centre: str = "") -> str:
        """Return the page of what an objective is about; `centre` is the device's."""
        match scope.kind:
            case "centre":
                return self.centre(scope.id)
            case "system":
                return self.system(scope.id)
            case "device":
                return self.device(scope.id, centre)
        return "/"

    def hit(self, hit: SearchHit) -> str:
        """Return the page of something that a search found."""
        match hit.kind:
            case "centre":
                return self.centre(hit.id)
            case "unit":
                return self.unit(hit.id)
            case "system":
                return self.system(hit.id)
            case "objective":
                return self.objective(hit.id)
            case "device":
                return self.device(hit.id, hit.centre)
        return f"/kpis#{quote(hit.id)}"

    def _one_of(self, folder: str, ident: str) -> str:
        if any(path.startswith(f"{folder}/{{") for path in self.paths):
            return f"{folder}/{quote(ident)}"
        return self.page(folder)
