"""Multi-training experiments."""
