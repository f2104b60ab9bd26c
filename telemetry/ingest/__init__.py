"""Ingest: frames from the broker into the store, then acknowledgement and receipt."""
