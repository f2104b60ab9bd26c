"""The rows of the open datasets from totals and the inventory; it must not read raw events nor write files."""
