"""The files of one server and its devices: broker, units, store; only text, nothing is written."""
