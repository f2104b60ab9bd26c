"""Fits wait models on past events and tests them; serving a prediction needs none of it."""
