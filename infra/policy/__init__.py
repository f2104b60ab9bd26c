"""The rules of a stack: over the plan, over rendered files and manifests, over single resources."""
