"""The targets of a plan: one machine, a Kubernetes cluster, an OpenStack cloud. Targets never import each other."""
