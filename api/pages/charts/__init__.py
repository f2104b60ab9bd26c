"""Geometry and texts of the charts of pages; they must not read a store."""

from __future__ import annotations
