"""A province's own OpenStack cloud: one machine behind a load balancer, its data on a separate volume."""
