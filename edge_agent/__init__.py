"""What runs on a kiosk or gateway: sources, a durable outbox, delivery; light, and it never reads the inventory."""
