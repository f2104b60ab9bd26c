"""Opening hours, exceptions, maintenance and the intervals they leave."""
