"""What Pulumi provisions, from the same inventory; for now an empty place, the program comes with its own change."""
