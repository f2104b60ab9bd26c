"""What people look at: page templates, static files and generated dashboards; data, and what makes it."""
