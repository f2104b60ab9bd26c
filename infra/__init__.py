"""Deploys a stack with Pulumi: configuration, plan, policies, resource kinds and the three targets."""
