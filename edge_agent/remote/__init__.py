"""What operators may change or run remotely: settings and commands on allow-lists; it must never run a shell."""
