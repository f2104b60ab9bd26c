"""The models of every answer, each with the factory that builds it from `telemetry.queries`; they compute no figure."""
