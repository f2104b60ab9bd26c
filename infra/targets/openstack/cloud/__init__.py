"""Hosted systems on OpenStack: what to create as plain values, their checks and document, and the file that creates it.

Only `deploy` may import Pulumi.
"""
