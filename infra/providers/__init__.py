"""What can be made, compared and removed on running servers; the cores know nothing of Pulumi, `skin` is its door."""
