"""The dashboards themselves, one module a subject; each returns a value of `dashboards.panels`, none reads anything."""
