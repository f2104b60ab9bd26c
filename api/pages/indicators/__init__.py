"""The pages of indicators, targets and commitments."""

from __future__ import annotations
