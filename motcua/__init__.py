"""The front door: the `motcua` command and the all-in-one demo; the only place that joins the parts."""
