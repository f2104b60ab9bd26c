"""The monthly report as a page and a document."""

from __future__ import annotations
