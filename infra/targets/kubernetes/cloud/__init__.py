"""The hosted systems as Kubernetes objects: the ground below them, and everything of each system."""
