"""Retraining on a fleet's own sound, and the comparison of the new model with its champion."""
