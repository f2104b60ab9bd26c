"""The target `local` of the province's cloud: a loopback server per component, which `motcua cloud stop` can stop.

It enforces nothing: no zone, no policy, no quota; it must never be taken for a cloud.
"""
