"""The stack's configuration: options, their types, the stack file."""
