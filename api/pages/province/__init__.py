"""The start page, and finding centres, districts and everything else."""

from __future__ import annotations
