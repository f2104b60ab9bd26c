"""What watches the systems that a province hosts itself, and which failure explains which. Pure."""
