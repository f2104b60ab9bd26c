"""Declared hosted systems → their plan: least levels, zones, names, sizes, allowed connections.

Pure: no clock, no files, no server, no Pulumi.
"""

from infra.plan.cloud.tenancy import build_cloud_plan
from infra.plan.cloud.values import CloudPlan

__all__ = ["CloudPlan", "build_cloud_plan"]
