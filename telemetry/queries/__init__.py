"""The queries of pages, API and metrics, answered from totals and live rows by `service.Queries`."""
