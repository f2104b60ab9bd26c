"""What one server and its devices need as files: broker, units, store; pure text, nothing is read or written."""
