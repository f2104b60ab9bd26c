"""What a stack must keep to: rules over the plan, over rendered files and manifests, over single resources."""
