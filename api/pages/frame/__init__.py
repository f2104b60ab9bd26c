"""What all pages share: language, layout, tables, answers."""

from __future__ import annotations
