"""A place over a period: its page, charts, downloads and the choice of the period."""

from __future__ import annotations
