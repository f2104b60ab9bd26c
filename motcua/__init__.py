"""The `motcua` command and the all-in-one demo; the only package that joins the others."""
