"""The routes of the pages, one module a subject; they must not gather what a page shows."""

from __future__ import annotations
