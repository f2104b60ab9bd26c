"""The questions of pages, API and metrics, answered from totals and live rows; `service.Queries` answers them."""
