"""A device's own sound, read back to train a model on."""
