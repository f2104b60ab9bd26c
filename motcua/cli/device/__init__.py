"""`motcua device …`: settings and commands for many devices; it must not stage them: `device_operations` does."""
