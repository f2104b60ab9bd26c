"""Opening hours, exceptions, maintenance, and windows of time."""
