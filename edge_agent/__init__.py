"""The agent on a kiosk or gateway: sources, a durable outbox, delivery; small, and it never reads the inventory."""
