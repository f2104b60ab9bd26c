"""The pages of service level objectives, and their error budgets in words."""

from __future__ import annotations
