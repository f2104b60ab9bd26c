"""Declared hosted systems → their plan: least levels, zones, names, sizes, allowed connections.

Pure: no clock, no files, no server, no Pulumi.
"""
