"""The digital systems that a province hosts itself, as declared: owners, components, flows, sites. Pure values.

It must not decide where anything runs; that is the plan's work.
"""
