"""The scream detector."""
