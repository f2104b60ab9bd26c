"""Where a plan can be put: one machine, a Kubernetes cluster, an OpenStack cloud. Targets never import each other."""
