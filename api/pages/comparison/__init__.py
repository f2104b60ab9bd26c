"""The page that compares centres or periods."""

from __future__ import annotations
