"""A province's stack on Kubernetes: pure manifests, and the Pulumi program that deploys them."""
