"""Transfer learning between machines."""
