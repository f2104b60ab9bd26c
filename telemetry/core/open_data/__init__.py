"""Open data: what is published, column by column, and which small counts are left out; it must not read stores."""
