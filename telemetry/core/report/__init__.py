"""The monthly report: its figures as values, what changed between two of them, which centres need attention."""
