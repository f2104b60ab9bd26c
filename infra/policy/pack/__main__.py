"""Pulumi's policy pack of the rules over single resources; starting it serves until the engine ends it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the engine starts it in its own folder

from pulumi_policy import EnforcementLevel, PolicyPack

from infra.policy.pulumi_policies import pulumi_policies

PolicyPack("motcua", pulumi_policies(), EnforcementLevel.MANDATORY)
