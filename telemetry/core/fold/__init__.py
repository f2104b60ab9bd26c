"""The pure fold: raw events to additive totals and live state."""
