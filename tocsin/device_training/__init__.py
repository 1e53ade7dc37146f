"""A device's own sound, read back to learn from."""
